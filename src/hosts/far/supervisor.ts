import { fail } from '../../ports/failure.ts';
import { encodeLine } from './line-encoding.ts';

/**
 * The one text that a carrier gives to a shell, whoever's login shell that is: it has no quote, backslash,
 * exclamation mark or line feed that bash, dash, fish or csh would read each in its own way. It takes one line
 * of its standard input, our script, and leaves the rest alone (`read` takes byte by byte from what it cannot seek).
 */
export const loader = 'IFS= read -r mw && eval "$(printf %b "$mw")"';

/** For a carrier that hands a text to the login shell. */
export const loaderCommand = `exec sh -c '${loader}'`;

/** An environment of its own for the command, whatever the login shell, sshd, PAM or sudo put into theirs. */
const clearing = `
PATH=\${PATH:-/usr/bin:/bin}
for mw in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
  case :$PATH: in *:$mw:*) ;; *) PATH=$PATH:$mw ;; esac
done
set -- "PATH=$PATH" LANG=C LC_ALL=C
[ -z "\${HOME-}" ] || set -- "$@" "HOME=$HOME"
[ -z "\${USER-}" ] || set -- "$@" "USER=$USER"
[ -z "\${LOGNAME-}" ] || set -- "$@" "LOGNAME=$LOGNAME"
[ -z "\${TMPDIR-}" ] || set -- "$@" "TMPDIR=$TMPDIR"
[ -z "\${TZ-}" ] || set -- "$@" "TZ=$TZ"
exec env -i "$@" sh -c '${loader}'
`;

/** Ends a subshell as shells do when the program that is its first argument is not there, or may not be started. */
export const refusingToStart = `
    case $1 in
      */*)
        [ -e "$1" ] || { printf '%s: program not found\\n' "$1" >&2; exit 127; }
        [ -x "$1" ] && [ ! -d "$1" ] || { printf '%s: permission denied\\n' "$1" >&2; exit 126; } ;;
      -* | '') printf '%s: program not found\\n' "$1" >&2; exit 127 ;;
      *) command -v "$1" >/dev/null 2>&1 || { printf '%s: program not found\\n' "$1" >&2; exit 127; } ;;
    esac
`;

/**
 * Runs the command as its child, so that its exit code can be told apart from the carrier's own, and says on both
 * outputs where what the command prints begins and ends. The mark is known to no one else. The group is that
 * of the whole process tree (field 5 of /proc/PID/stat), which is what has to be ended; with the boot id it
 * is never taken for one of the time before a reboot. What the shell itself says (of a killed child) goes nowhere.
 */
const supervising = `
mw_take() {
  IFS= read -r mw || exit 96
  case $mw in *\\\\*) mw=$(printf '%b.' "$mw"); mw=\${mw%.} ;; esac
}
mw_take; mw_mark=$mw
mw_take; mw_folder=$mw
mw_take; mw_count=$mw
mw_args() {
  while [ "$mw_count" -gt 0 ]; do
    mw_take
    set -- "$@" "$mw"
    mw_count=$((mw_count - 1))
  done
  mw_say() { printf '%s' "$mw_mark$1"; printf '%s' "$mw_mark$1" >&4; }
  mw_say "{$mw_group $mw_boot}"
  (
    while [ -n "$1" ]; do export "$1"; shift; done
    shift
    if [ -n "$mw_folder" ]; then
      if ! cd "$mw_folder" 2>/dev/null; then
        if [ -d "$mw_folder" ]; then mw_say '(refused)' 4>&2; else mw_say '(missing)' 4>&2; fi
        exit 1
      fi
    fi
${refusingToStart}    exec "$@"
  ) 2>&4 4>&-
  mw_say "[$?]"
  exit 0
}
exec 4>&2 2>/dev/null
mw_group= mw_boot=
if [ -r /proc/self/stat ]; then
  IFS= read -r mw < "/proc/$$/stat"
  mw=\${mw##*) }
  mw=\${mw#* }
  mw=\${mw#* }
  mw_group=\${mw%% *}
  IFS= read -r mw_boot < /proc/sys/kernel/random/boot_id
else
  mw_group=$(ps -o pgid= -p "$$" | tr -d ' ')
fi
mw_args
`;

/** Names that a shell keeps for itself: it would refuse them, or change what they mean to our script. */
const kept = new Set(['UID', 'EUID', 'PPID', 'SHELLOPTS', 'BASHOPTS', 'OPTIND', 'LINENO', 'IFS']);

/** @throws FailureError for a variable that a shell cannot set, naming it */
export function demandVariableName(name: string): void {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !kept.has(name)) return;
  fail({
    code: 'host-error',
    message: `The environment variable ${JSON.stringify(name)} cannot be set for a command that is reached through a shell.`,
    state: 'Nothing was started.',
    next: 'Use a name of letters, digits and underscores that shells do not keep for themselves, then run the step again.',
  });
}

/** What a far shell is asked to run. */
export interface FarCommand {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
}

/**
 * What goes to the loader's standard input before the command's own input. Program, arguments, folder and
 * environment are data in it; only our own two scripts are ever evaluated.
 * @param mark words of [0-9a-f] that cannot occur in what the command prints
 * @throws FailureError for a NUL, or a variable that a shell cannot set (named; its value is never shown)
 */
export function headerOf(command: FarCommand, mark: string): string {
  const assignments = Object.entries(command.env ?? {}).map(([name, value]) => {
    demandVariableName(name);
    return encodeLine(`${name}=${value}`, `The environment variable ${name}`);
  });
  const program = command.argv[0] ?? '';
  const args = command.argv.map((arg) => encodeLine(arg, `An argument of \`${program}\``));
  // An empty line stands between the variables and the arguments: no assignment is empty.
  const words = [...assignments, '', ...args];
  const folder = encodeLine(command.workingDirectory ?? '', 'The working directory');
  const lines = [encodeLine(clearing, 'clearing'), encodeLine(supervising, 'supervising')];
  return `${[...lines, mark, folder, String(words.length), ...words].join('\n')}\n`;
}
