/**
 * The file operations of a far host: fixed texts for a POSIX shell with the tools of coreutils or busybox. Paths
 * are absolute and come as arguments, contents by standard input. They keep the conventions of durable-file.ts.
 * What failed is told by the tools' own words, which TypeScript turns into an errno (in the C locale they are constant).
 */

/** fsync of a file or folder. Where `sync` takes no names it syncs everything; some file systems cannot. */
const syncing = `
durable() {
  said=$(sync "$1" 2>&1) && return 0
  case $said in
    *': Invalid argument' | *'not supported' | *'not implemented') sync ;;
    *) printf '%s\\n' "$said" >&2; return 1 ;;
  esac
}
folder_of() { folder=\${1%/*}; [ -n "$folder" ] || folder=/; }
`;

/** Where the change itself can be seen already, the exit code says so: 3. */
const published = 'durable "$folder" || exit 3';

/** Arguments: path, mode, uid:gid or nothing, random, bytes. Leaves the finished temporary file in $temporary. */
const toTemporary = `
umask 077
path=$1 mode=$2 owner=$3 random=$4 bytes=$5
target=$path
if [ "$follow" = yes ] && [ -L "$path" ]; then
  stat -L "$path" >/dev/null || exit 1
  target=$(readlink -f "$path" && echo .) || exit 1
  target=\${target%??}
fi
folder_of "$target"
name=\${target##*/}
temporary=\${folder%/}/.$name.$$-$random.tmp
trap 'rm -f "$temporary"' EXIT
trap 'exit 1' HUP INT TERM
( set -C; cat > "$temporary" ) || exit 1
[ "$(wc -c < "$temporary")" -eq "$bytes" ] || { echo 'the contents did not arrive as a whole' >&2; exit 1; }
if [ -n "$owner" ] && [ "$(stat -c %u:%g "$temporary")" != "$owner" ]; then
  said=$(chown "$owner" "$temporary" 2>&1) || case $said in
    *': Operation not permitted') ;;
    *) printf '%s\\n' "$said" >&2; exit 1 ;;
  esac
fi
chmod "$mode" "$temporary" && durable "$temporary" || exit 1
`;

/** Removes what killed writers of the same name left; see removeLeftovers of durable-file.ts. */
const removingLeftovers = `
for leftover in "\${folder%/}/.$name."*.tmp; do
  rest=\${leftover#"\${folder%/}/.$name."}
  rest=\${rest%.tmp}
  writer=\${rest%%-*} random=\${rest#*-}
  case $writer in '' | *[!0-9]*) continue ;; esac
  case $random in *[!0-9a-f]*) continue ;; esac
  [ \${#random} -eq 24 ] || continue
  if [ "$writer" -ne "$$" ]; then
    said=$(kill -s 0 "$writer" 2>&1) && continue
    case $said in *'o such process'*) ;; *) continue ;; esac
  fi
  rm -f "$leftover" 2>/dev/null
done
exit 0
`;

export const writeScript = `${syncing}follow=yes
${toTemporary}
[ ! -d "$target" ] || { printf '%s: Is a directory\\n' "$target" >&2; exit 1; }
mv -f "$temporary" "$target" || exit 1
${published}
${removingLeftovers}`;

/** Exit code 17: something has the name already. */
export const createScript = `${syncing}follow=no
${toTemporary}
if [ -e "$target" ] || [ -L "$target" ]; then exit 17; fi
said=$(ln "$temporary" "$target" 2>&1) || {
  if [ -e "$target" ] || [ -L "$target" ]; then exit 17; fi
  printf '%s\\n' "$said" >&2
  exit 1
}
rm -f "$temporary"
${published}
${removingLeftovers}`;

/**
 * Arguments: path, mode, bytes. Exit code 4: it may end in the middle of a line. The text is complete before the
 * first byte is written: a connection that breaks on the way must not leave half of it.
 */
export const appendScript = `${syncing}
path=$1 mode=$2 bytes=$3
text=$(cat && echo .) || exit 1
text=\${text%?}
text=\${text%.}
[ "\${#text}" -eq "$bytes" ] || { echo 'the text did not arrive as a whole' >&2; exit 1; }
created=
if [ ! -e "$path" ]; then
  if said=$( { set -C; umask 077; : > "$path"; } 2>&1 ); then
    created=yes
    chmod "$mode" "$path" || exit 1
  elif [ ! -e "$path" ]; then
    printf '%s\\n' "$said" >&2
    exit 1
  fi
fi
before=$(stat -L -c %s "$path") || exit 1
if ! printf '%s' "$text" | cat >> "$path" || ! { [ ! -f "$path" ] || durable "$path"; }; then
  truncate -s "$before" "$path" 2>/dev/null || exit 4
  exit 1
fi
[ -z "$created" ] && exit 0
folder_of "$path"
${published}`;

/** Arguments: path, mode. Every folder that it creates has the mode, whatever the umask. */
export const makeDirectoryScript = `${syncing}
mode=$2
make() {
  [ ! -d "$1" ] || return 0
  folder_of "$1"
  [ "$1" = / ] || make "$folder" || return
  said=$(umask 077; mkdir "$1" 2>&1) || {
    [ ! -d "$1" ] || return 0
    printf '%s\\n' "$said" >&2
    return 1
  }
  chmod "$mode" "$1" || return 1
  folder_of "$1"
  durable "$folder" || return 3
}
make "$1"
exit $?
`;

/** Arguments: from, to. As rename(2): it never moves into a folder, nor copies to another file system. */
export const renameScript = `${syncing}
stat -c '' "$1" >/dev/null || exit 1
folder_of "$2"
there=$(stat -L -c %d "$folder") && here=$(stat -c %d "$1") || exit 1
[ "$there" = "$here" ] || { echo 'mv: Invalid cross-device link' >&2; exit 1; }
if [ -d "$2" ] && [ ! -L "$2" ]; then
  if [ ! -d "$1" ] || [ -L "$1" ]; then printf '%s: Is a directory\\n' "$2" >&2; exit 1; fi
  rmdir "$2" || exit 1
elif [ -d "$1" ] && [ ! -L "$1" ] && { [ -e "$2" ] || [ -L "$2" ]; }; then
  printf '%s: Not a directory\\n' "$2" >&2
  exit 1
elif [ -L "$2" ] && [ -d "$2" ]; then
  mv -fT "$1" "$2" || exit 1
  ${published}
  exit 0
fi
mv -f "$1" "$2" || exit 1
${published}
before=$folder
folder_of "$1"
[ "$before" = "$folder" ] && exit 0
${published}`;

export const removeScript = `${syncing}
rm -rf "$1" || exit 1
folder_of "$1"
[ ! -d "$folder" ] && exit 0
${published}`;

/** Names, each ended by a NUL, after the folder's own path and \`/./\`. */
export const listScript = `
[ -d "$1" ] || stat -L -c '' "$1" || exit 1
[ -d "$1" ] || { printf '%s: Not a directory\\n' "$1" >&2; exit 1; }
exec find "\${1%/}/." ! -name . -prune -print0
`;

export const statusScript = `exec stat -L -c '%f %s %u %g' "$1"`;

export const realPathScript = `
stat -L -c '' "$1" >/dev/null || exit 1
exec readlink -f "$1"
`;

/** Blocks for who is not root, and their size; of the nearest parent that is there. */
export const freeBytesScript = `
path=$1
until said=$(stat -f -c '%a %S' "$path" 2>&1); do
  case $said in
    *': No such file or directory' | *': Not a directory') ;;
    *) printf '%s\\n' "$said" >&2; exit 1 ;;
  esac
  [ "$path" != / ] || { printf '%s\\n' "$said" >&2; exit 1; }
  path=\${path%/*}
  [ -n "$path" ] || path=/
done
printf '%s\\n' "$said"
`;

export const readScript = `exec cat "$1"`;

export const sha256Script = `
stat -L -c '' "$1" >/dev/null || exit 1
if command -v sha256sum >/dev/null 2>&1; then sha256sum < "$1"; else openssl dgst -sha256 -r < "$1"; fi
`;
