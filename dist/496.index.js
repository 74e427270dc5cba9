export const id = 496;
export const ids = [496];
export const modules = {

/***/ 1863:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  e: () => (/* binding */ farHost)
});

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(77598);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(76760);
// EXTERNAL MODULE: ./lib/hosts/absolute-path.js
var absolute_path = __webpack_require__(4680);
// EXTERNAL MODULE: ./lib/hosts/host-failure.js
var host_failure = __webpack_require__(53486);
// EXTERNAL MODULE: ./lib/hosts/pipeline.js + 1 modules
var pipeline = __webpack_require__(71525);
// EXTERNAL MODULE: ./lib/ports/failure.js
var failure = __webpack_require__(69554);
// EXTERNAL MODULE: ./lib/hosts/command-failure.js
var command_failure = __webpack_require__(24445);
// EXTERNAL MODULE: ./lib/hosts/local-process.js + 3 modules
var local_process = __webpack_require__(82843);
;// CONCATENATED MODULE: ./lib/hosts/far/far-group.js
/**
 * Ends a process group: SIGTERM, SIGKILL for who is still there two seconds later, and a second for the kernel.
 * Zombies count as gone. Arguments: group, boot id (empty: not known). Exit code: 0 gone, 1 somebody is left.
 * A machine that has been booted since runs nothing of it.
 */
const endGroupScript = `
group=$1
[ "$group" -gt 1 ] || exit 2
if [ -n "$2" ]; then
  IFS= read -r boot < /proc/sys/kernel/random/boot_id
  [ "$boot" = "$2" ] || exit 0
fi
live() {
  states=$(cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/.*) \\([A-Za-z]\\) [0-9]* $group .*/\\1/p")
  if [ -n "$states" ]; then
    printf '%s' "$states" | grep -q '[^ZXx]'
  else
    kill -s 0 -- "-$group" 2>/dev/null
  fi
}
gone() {
  left=$1
  while live; do
    [ "$left" -gt 0 ] || return 1
    left=$((left - 1))
    sleep "$pause"
  done
}
if sleep 0.02 2>/dev/null; then pause=0.05 second=20; else pause=1 second=1; fi
kill -s TERM -- "-$group" 2>/dev/null
gone $((2 * second)) && exit 0
kill -s KILL -- "-$group" 2>/dev/null
gone "$second" && exit 0
exit 1
`;

;// CONCATENATED MODULE: ./lib/hosts/far/marked-stream.js
/** Bytes before the command begins that are kept, for the message when it never does. */
const noiseLimit = 16 * 1024;
const closing = { '{': '}', '(': ')', '[': ']' };
function parse(text) {
    const [, group, boot] = /^\{(\d+) ([0-9a-f-]*)\}$/.exec(text) ?? [];
    if (group !== undefined && boot !== undefined) {
        return { kind: 'begin', group: Number(group), boot };
    }
    const code = /^\[(\d{1,3})\]$/.exec(text)?.[1];
    if (code !== undefined)
        return { kind: 'end', code: Number(code) };
    if (text === '(missing)' || text === '(refused)') {
        return { kind: 'folder', missing: text === '(missing)' };
    }
    return undefined;
}
/**
 * Takes the supervisor's marks out of one output of a far shell. What comes before the first one (a login
 * shell's start-up files may print anything) is no output of the command.
 */
class MarkedStream {
    #mark;
    #onMark;
    #held = Buffer.alloc(0);
    #begun = false;
    #ended = false;
    #noise = '';
    constructor(mark, onMark) {
        this.#mark = Buffer.from(mark, 'latin1');
        this.#onMark = onMark;
    }
    /** The command ended, and all that it had printed was handed out. */
    get ended() {
        return this.#ended;
    }
    /** What was printed before the command began. */
    get noise() {
        return this.#noise;
    }
    /** @returns what the command printed, without the marks */
    add(chunk) {
        let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
        const printed = [];
        const keep = (bytes) => {
            if (this.#begun)
                printed.push(bytes);
            else
                this.#noise = `${this.#noise}${bytes.toString('utf8')}`.slice(0, noiseLimit);
        };
        for (;;) {
            const at = rest.indexOf(this.#mark);
            if (at < 0)
                break;
            const after = rest.subarray(at + this.#mark.length);
            const close = closing[String.fromCharCode(after[0] ?? 0)];
            const end = close === undefined ? -1 : after.indexOf(close);
            if (end < 0 && (close !== undefined || after.length === 0)) {
                keep(rest.subarray(0, at));
                this.#held = rest.subarray(at);
                return Buffer.concat(printed);
            }
            keep(rest.subarray(0, at));
            rest = after.subarray(end + 1);
            this.#take(parse(after.subarray(0, end + 1).toString('latin1')));
        }
        const possible = this.#possibleMark(rest);
        keep(rest.subarray(0, possible));
        this.#held = rest.subarray(possible);
        return Buffer.concat(printed);
    }
    #take(mark) {
        if (mark === undefined)
            return;
        if (mark.kind === 'begin')
            this.#begun = true;
        if (mark.kind === 'end')
            this.#ended = true;
        this.#onMark(mark);
    }
    /** Where the beginning of a mark may stand at the end of what came so far; else its length. */
    #possibleMark(bytes) {
        const from = Math.max(0, bytes.length - this.#mark.length + 1);
        for (let at = from; at < bytes.length; at += 1) {
            const tail = bytes.subarray(at);
            if (this.#mark.subarray(0, tail.length).equals(tail))
                return at;
        }
        return bytes.length;
    }
}

// EXTERNAL MODULE: ./lib/hosts/far/supervisor.js + 1 modules
var supervisor = __webpack_require__(57715);
;// CONCATENATED MODULE: ./lib/hosts/far/far-command.js








/** Seconds that a command to be ended is given to begin: until then there is nothing to end. */
const beginSeconds = 2;
/** Seconds for the order to end a group, its connection included. With the above well under a cancelled run's 7.5 s. */
const endSeconds = 5;
/** Times that a command is tried on another connection when it cannot have begun on the first. */
const attempts = 3;
/** The command cannot have begun; the same may succeed on another channel. */
class NotBegun extends Error {
}
class FarRelay {
    program;
    over;
    /** Resolves when the command begins. */
    begun;
    #carrier;
    #channel;
    #options;
    #out;
    #err;
    #folder;
    #begin;
    #end;
    #noFolder;
    #onBegun = () => undefined;
    #onOver = () => undefined;
    constructor(carrier, channel, command, options, mark) {
        this.program = options.label ?? command.argv[0];
        this.#carrier = carrier;
        this.#channel = channel;
        this.#options = options;
        this.#folder = command.workingDirectory ?? '';
        this.begun = new Promise((resolve) => (this.#onBegun = resolve));
        this.over = new Promise((resolve) => (this.#onOver = resolve));
        this.#out = new MarkedStream(mark, (found) => this.#take(found));
        this.#err = new MarkedStream(mark, (found) => this.#take(found));
    }
    #take(mark) {
        if (mark.kind === 'begin') {
            this.#begin = mark;
            this.#onBegun();
        }
        else if (mark.kind === 'folder') {
            this.#noFolder = mark;
        }
        else {
            this.#end = mark.code;
            // Of the two outputs either may come first.
            if (this.#out.ended && this.#err.ended)
                this.#onOver();
        }
    }
    stdout(chunk) {
        const printed = this.#out.add(chunk);
        if (this.#options.onBytes === undefined)
            return printed;
        this.#options.onBytes(printed);
        return Buffer.alloc(0);
    }
    stderr(chunk) {
        return this.#err.add(chunk);
    }
    async end() {
        if (this.#options.kind === 'control' || this.#end !== undefined)
            return undefined;
        await Promise.race([this.begun, seconds(beginSeconds)]);
        const { group, boot } = this.#begin ?? {};
        if (group === undefined || boot === undefined)
            return this.#unsure('it had not answered yet');
        try {
            const order = { argv: ['sh', '-c', endGroupScript, 'sh', String(group), boot] };
            const { exitCode } = await runFar(this.#carrier, { ...order, timeoutSeconds: endSeconds }, { environment: this.#options.environment, kind: 'control' });
            if (exitCode === 0)
                return undefined;
            return exitCode === 1 ? this.#left(group) : this.#unsure('the order to end it failed');
        }
        catch (error) {
            return this.#unsure(error instanceof Error ? error.message : String(error));
        }
    }
    async exitCode(child) {
        if (this.#noFolder !== undefined)
            throw this.#badFolder(this.#noFolder.missing);
        if (this.#end !== undefined && this.#out.ended && this.#err.ended) {
            // A shell tells of signals by these numbers. 129 is left out: it is an ordinary code of git's.
            return this.#end >= 130 && this.#end <= 159 ? null : this.#end;
        }
        if (this.#begin === undefined) {
            const why = await this.#channel.silence(child, `${this.#err.noise}${this.#out.noise}`);
            throw why === 'again' ? new NotBegun() : why;
        }
        const why = await this.#channel.broken(this.program);
        if (why !== undefined)
            throw why;
        return null;
    }
    #badFolder(missing) {
        const reason = missing ? 'ENOENT: no such folder' : 'EACCES: permission denied';
        const error = Object.assign(new Error(`${reason}, cd '${this.#folder}'`), {
            code: missing ? 'ENOENT' : 'EACCES',
        });
        return (0,host_failure/* hostFailure */.t)(error, `start \`${this.program}\``, 'Nothing was started.');
    }
    #left(group) {
        return new failure/* FailureError */.pO({
            code: 'host-error',
            message: `\`${this.program}\` was to be ended (timeout or cancelled run) on ${this.#carrier.name}, but its process group ${group} did not go.`,
            state: 'Some of its processes are still running there and may still have effects.',
            next: `Look at them with \`ps -o pid,user,args -g ${group}\` on that host, end them, then run the phase again or \`rollback\`.`,
        });
    }
    #unsure(reason) {
        return new failure/* FailureError */.pO({
            code: 'host-unreachable',
            message: `\`${this.program}\` was to be ended (timeout or cancelled run) on ${this.#carrier.name}, but that could not be observed: ${reason.replace(/\.$/, '')}.`,
            state: 'It may still be running there; its effects up to now are unknown.',
            next: 'Look on that host whether it runs, end it, then run the phase again or `rollback`.',
        });
    }
}
function seconds(count) {
    return new Promise((resolve) => setTimeout(resolve, count * 1000).unref());
}
/**
 * Begins a command behind a carrier. Resolves when it has begun there.
 * @throws FailureError when the machine cannot be reached, or the command cannot be put into words for a shell,
 * or did not begin
 */
async function beginFar(carrier, command, options, interactive) {
    const program = options.label ?? command.argv[0];
    for (let attempt = 1;; attempt += 1) {
        // Begins with a byte that texts do not have, so that hardly anything is held back for looking like it.
        const mark = `\u001e${(0,external_node_crypto_.randomBytes)(16).toString('hex')}`;
        const header = Buffer.from((0,supervisor/* headerOf */.rR)(command, mark), 'latin1');
        const channel = await carrier.open(options.kind, program, options.signal);
        if (options.signal?.aborted === true) {
            channel.close();
            throw (0,command_failure/* cancelled */.KW)(program);
        }
        const { env: _env, workingDirectory: _folder, stdin, ...rest } = command;
        const relay = new FarRelay(carrier, channel, command, options, mark);
        const process = new local_process/* LocalProcess */.D({
            ...rest,
            argv: channel.argv,
            env: channel.env,
            stdin: stdin === undefined ? header : Buffer.concat([header, Buffer.from(stdin)]),
        }, {
            environment: options.environment,
            relay,
            ...(options.ends === undefined ? {} : { ends: options.ends }),
            ...(options.signal === undefined ? {} : { signal: options.signal }),
        }, interactive);
        const outcome = process.result.then(() => undefined, (error) => (error instanceof Error ? error : new Error(String(error))));
        void outcome.then(() => channel.close());
        const early = await Promise.race([relay.begun, outcome]);
        if (early === undefined)
            return process;
        if (!(early instanceof NotBegun))
            throw early;
        if (attempt === attempts)
            throw unsteady(carrier.name, program);
    }
}
function unsteady(host, program) {
    return new failure/* FailureError */.pO({
        code: 'host-unreachable',
        message: `The connection to ${host} was lost ${attempts} times before \`${program}\` could begin.`,
        state: 'The command was not started.',
        next: 'Check the network and the SSH server of that host, then run the step again.',
    });
}
/** Runs a command behind a carrier to its end. */
async function runFar(carrier, command, options) {
    return (await beginFar(carrier, command, options, false)).result;
}

;// CONCATENATED MODULE: ./lib/hosts/far/file-scripts.js
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
const writeScript = `${syncing}follow=yes
${toTemporary}
[ ! -d "$target" ] || { printf '%s: Is a directory\\n' "$target" >&2; exit 1; }
mv -f "$temporary" "$target" || exit 1
${published}
${removingLeftovers}`;
/** Exit code 17: something has the name already. */
const createScript = `${syncing}follow=no
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
const appendScript = `${syncing}
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
const makeDirectoryScript = `${syncing}
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
const renameScript = `${syncing}
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
const removeScript = `${syncing}
rm -rf "$1" || exit 1
folder_of "$1"
[ ! -d "$folder" ] && exit 0
${published}`;
/** Names, each ended by a NUL, after the folder's own path and \`/./\`. */
const listScript = `
[ -d "$1" ] || stat -L -c '' "$1" || exit 1
[ -d "$1" ] || { printf '%s: Not a directory\\n' "$1" >&2; exit 1; }
exec find "\${1%/}/." ! -name . -prune -print0
`;
const statusScript = `exec stat -L -c '%f %s %u %g' "$1"`;
const realPathScript = `
stat -L -c '' "$1" >/dev/null || exit 1
exec readlink -f "$1"
`;
/** Blocks for who is not root, and their size; of the nearest parent that is there. */
const freeBytesScript = `
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
const readScript = `exec cat "$1"`;
const sha256Script = `
stat -L -c '' "$1" >/dev/null || exit 1
if command -v sha256sum >/dev/null 2>&1; then sha256sum < "$1"; else openssl dgst -sha256 -r < "$1"; fi
`;

;// CONCATENATED MODULE: ./lib/hosts/far/tool-failure.js
/** How the tools of a host, in the C locale, end the line that says why they failed (glibc, musl, dash and busybox). */
const words = [
    ['EACCES', ['Permission denied']],
    ['EPERM', ['Operation not permitted']],
    ['EROFS', ['Read-only file system']],
    ['ENOSPC', ['No space left on device']],
    ['EDQUOT', ['Disk quota exceeded', 'Quota exceeded']],
    ['EFBIG', ['File too large']],
    [
        'ENOENT',
        [
            ...['No such file or directory', 'No such file', 'Directory nonexistent'],
            ...['no such file', 'nonexistent directory'],
        ],
    ],
    ['ENOTDIR', ['Not a directory']],
    ['EISDIR', ['Is a directory']],
    ['EXDEV', ['Invalid cross-device link', 'Cross-device link']],
    ['ENOTEMPTY', ['Directory not empty']],
];
/** The error that a local system call would have thrown, told from what a tool printed on its standard error. */
class ToolError extends Error {
    /** `EACCES`, …; absent when the words are not known. */
    code;
    constructor(said, exitCode) {
        const text = said.trim();
        const last = text.slice(text.lastIndexOf('\n') + 1);
        // Only the end counts: a path in front of it may hold any words.
        const code = words.find(([, ends]) => ends.some((end) => last.endsWith(`: ${end}`)))?.[0];
        const reason = text === '' ? `exit code ${exitCode ?? 'none'}` : last;
        super(code === undefined ? reason : `${code}: ${reason}`);
        this.name = 'ToolError';
        if (code !== undefined)
            this.code = code;
    }
}

;// CONCATENATED MODULE: ./lib/hosts/far/far-host.js








/** Exit codes of the file scripts beside 0 and 1. */
const undurable = 3;
const halfWritten = 4;
const taken = 17;
/** A host of which we have a shell and nothing else. */
function farHost(carrier, options) {
    const { environment, signal } = options;
    const run = (command) => runFar(carrier, command, { kind: 'command', environment, signal });
    /** A file operation; not for the signal to end. */
    const script = (text, args, more = {}) => runFar(carrier, {
        argv: ['sh', '-c', text, 'sh', ...args],
        workingDirectory: '/',
        ...(more.stdin === undefined ? {} : { stdin: more.stdin }),
    }, { kind: 'command', environment, onBytes: more.onBytes });
    const attempt = async (doing, state, action, done) => {
        try {
            return await action();
        }
        catch (error) {
            if (!(error instanceof UndurableError))
                throw (0,host_failure/* hostFailure */.t)(error, doing, state);
            throw (0,host_failure/* hostFailure */.t)(error, `make it durable to ${doing}`, done ?? state);
        }
    };
    const change = async (text, args, stdin) => {
        check(await script(text, args, stdin === undefined ? {} : { stdin }));
    };
    const look = async (text, path) => {
        const result = await script(text, [path]);
        check(result);
        return result.stdout;
    };
    const bytesOf = async (text, path) => {
        const chunks = [];
        check(await script(text, [path], { onBytes: (chunk) => chunks.push(chunk) }));
        return Buffer.concat(chunks);
    };
    const published = (what) => `${what}, but that may not survive a power cut.`;
    return {
        name: carrier.name,
        run,
        start: (command) => beginFar(carrier, command, { kind: 'session', environment, signal }, true),
        pipe: (stages, ends) => (0,pipeline/* runPipeline */.a)(carrier.name, 
        // A session waits for nobody: whoever feeds it may need a channel too.
        (command, how) => beginFar(carrier, command, { kind: 'session', environment, signal, ...how }, false), stages, ends),
        readFile: (path) => attempt(`read ${path}`, 'Nothing was changed.', () => whenThere(bytesOf(readScript, (0,absolute_path/* absolutePath */.H)(path)))),
        writeFile: (path, bytes, how) => attempt(`write ${path}`, 'The file is as it was before.', () => change(writeScript, writing((0,absolute_path/* absolutePath */.H)(path), bytes, how), bytes), published(`${path} has its new contents`)),
        createFile: (path, bytes, how) => attempt(`create ${path}`, 'The file was not created.', async () => {
            const args = writing((0,absolute_path/* absolutePath */.H)(path), bytes, how);
            const result = await script(createScript, args, { stdin: bytes });
            if (result.exitCode === taken)
                return false;
            check(result);
            return true;
        }, published(`${path} was created`)),
        appendFile: (path, text, mode) => attempt(`append to ${path}`, 'The file ends as it did before.', async () => {
            const args = [(0,absolute_path/* absolutePath */.H)(path), octal(mode), String(Buffer.byteLength(text))];
            const result = await script(appendScript, args, { stdin: text });
            if (result.exitCode === halfWritten) {
                const error = new ToolError(result.stderr, result.exitCode);
                throw (0,host_failure/* hostFailure */.t)(error, `append to ${path}`, 'It may end in the middle of a line.');
            }
            check(result);
        }, published(`${path} has its new line`)),
        makeDirectory: (path, mode) => attempt(`create the folder ${path}`, 'Nothing else was changed.', () => change(makeDirectoryScript, [external_node_path_.posix.resolve((0,absolute_path/* absolutePath */.H)(path)), octal(mode)])),
        rename: (from, to) => attempt(`rename ${from} to ${to}`, 'Both names are as they were before.', () => change(renameScript, [
            withoutSlash((0,absolute_path/* absolutePath */.H)(from)),
            withoutSlash((0,absolute_path/* absolutePath */.H)(to)),
        ]), published(`${from} is now ${to}`)),
        remove: (path) => attempt(`remove ${path}`, 'Some of it may be left.', async () => {
            const target = external_node_path_.posix.resolve((0,absolute_path/* absolutePath */.H)(path));
            if (target === '/')
                throw new Error('that is the whole machine');
            await change(removeScript, [target]);
        }),
        list: (path) => attempt(`list ${path}`, 'Nothing was changed.', async () => {
            const folder = (0,absolute_path/* absolutePath */.H)(path);
            const found = await whenThere(bytesOf(listScript, folder), ['ENOENT']);
            const prefix = `${folder.replace(/\/$/, '')}/./`;
            return (found?.toString('utf8') ?? '')
                .split('\0')
                .filter((entry) => entry !== '')
                .map((entry) => entry.slice(prefix.length))
                .sort();
        }),
        status: (path) => attempt(`look at ${path}`, 'Nothing was changed.', async () => {
            const found = await whenThere(look(statusScript, (0,absolute_path/* absolutePath */.H)(path)));
            if (found === undefined)
                return undefined;
            const [raw = '', bytes, uid, gid] = found.trim().split(' ');
            // The type is in the upper bits of st_mode; see inode(7).
            const type = Number.parseInt(raw, 16) & 0o170000;
            const kind = type === 0o100000 ? 'file' : type === 0o040000 ? 'directory' : 'other';
            const mode = Number.parseInt(raw, 16) & 0o7777;
            return { kind, bytes: Number(bytes), mode, uid: Number(uid), gid: Number(gid) };
        }),
        realPath: (path) => attempt(`resolve ${path}`, 'Nothing was changed.', async () => (await bytesOf(realPathScript, (0,absolute_path/* absolutePath */.H)(path))).toString('utf8').slice(0, -1)),
        freeBytes: (path) => attempt(`measure the free space of ${path}`, 'Nothing was changed.', async () => {
            const found = await look(freeBytesScript, external_node_path_.posix.resolve((0,absolute_path/* absolutePath */.H)(path)));
            const [blocks, size] = found.trim().split(' ').map(BigInt);
            return Number((blocks ?? 0n) * (size ?? 0n));
        }),
        sha256: (path) => attempt(`read ${path}`, 'Nothing was changed.', async () => {
            const found = await look(sha256Script, (0,absolute_path/* absolutePath */.H)(path));
            const hash = /^[0-9a-f]{64}\b/.exec(found)?.[0];
            if (hash === undefined)
                throw new Error('neither sha256sum nor openssl is there');
            return hash;
        }),
    };
}
/** The change can be seen, but the host did not promise to keep it. */
class UndurableError extends ToolError {
}
function check(result) {
    if (result.exitCode === 0)
        return;
    const of = result.exitCode === undurable ? UndurableError : ToolError;
    throw new of(result.stderr, result.exitCode);
}
async function whenThere(action, absent = ['ENOENT', 'ENOTDIR']) {
    try {
        return await action;
    }
    catch (error) {
        if (absent.includes((0,host_failure/* errnoOf */.U)(error) ?? ''))
            return undefined;
        throw error;
    }
}
function octal(mode) {
    return mode.toString(8).padStart(4, '0');
}
/** A path that ends in a slash names a folder, which cannot be written. */
function writing(path, bytes, how) {
    if (path.endsWith('/'))
        throw Object.assign(new Error('EISDIR: it ends in /'), { code: 'EISDIR' });
    const owner = how.owner === undefined ? '' : `${how.owner.uid}:${how.owner.gid}`;
    const random = (0,external_node_crypto_.randomBytes)(12).toString('hex');
    return [path, octal(how.mode), owner, random, String(Buffer.byteLength(bytes))];
}
function withoutSlash(path) {
    return path.replace(/(?<=.)\/+$/, '');
}


/***/ }),

/***/ 46:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   U: () => (/* binding */ sudoRefused),
/* harmony export */   Y: () => (/* binding */ sudoArguments)
/* harmony export */ });
/* harmony import */ var _ports_failure_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(69554);

/** Asks for nothing (`-n`), with the home folder of the user that it turns to (`-H`). See sudo(8). */
const sudoArguments = ['sudo', '-n', '-H', '--'];
/** sudo did not let us. @param said what it, or the login shell, printed */
function sudoRefused(host, said) {
    const reason = said.trim().replace(/\s+/g, ' ').replace(/\.$/, '');
    return new _ports_failure_js__WEBPACK_IMPORTED_MODULE_0__/* .FailureError */ .pO({
        code: 'host-sudo-refused',
        message: `sudo did not run a shell on ${host}: ${reason === '' ? 'it said nothing' : reason}.`,
        state: 'Nothing was done by it.',
        next: 'Allow that user `NOPASSWD: ALL` for the window in sudoers (see `sudo -n -l` there), or turn `sudo` off, then run the step again.',
    });
}


/***/ })

};
