import type { Command, PipeStage } from '../ports/host.ts';
import { demandVariableName, refusingToStart } from './far/supervisor.ts';

/** Characters of a stage's error line that are told at once: less than a pipe takes as a whole (PIPE_BUF, 4096). */
const pieceLength = 1000;

/**
 * Reads what a stage says on its standard error up to the mark and the exit code behind it, and tells both with the
 * stage's number: `2:line`, `2+piece of a long line`, `2=0`. It does not wait for whoever else holds that output.
 */
const telling = `
mw_tell() {
  mw_more=yes
  while [ -n "$mw_more" ]; do
    IFS= read -r mw_line || mw_more=
    mw_code=
    case $mw_line in
      *"$mw_mark"*) mw_code=\${mw_line##*"$mw_mark"} mw_line=\${mw_line%"$mw_mark"*} mw_more= ;;
    esac
    while [ \${#mw_line} -gt ${pieceLength} ]; do
      mw_piece=$(printf '%.${pieceLength}s.' "$mw_line")
      mw_piece=\${mw_piece%.}
      printf '%s\\n' "$1+$mw_piece"
      mw_line=\${mw_line#"$mw_piece"}
    done
    if [ -n "$mw_line$mw_more" ]; then printf '%s\\n' "$1:$mw_line"; fi
    if [ -n "$mw_code" ]; then printf '%s\\n' "$1=$mw_code"; fi
  done
}
`;

const starting = `
mw_start() {
  if [ -n "$1" ] && ! cd "$1" 2>/dev/null; then
    printf '%s: the folder to run in is not there or may not be entered\\n' "$1" >&2
    exit 126
  fi
  shift
  ${refusingToStart.trim()}
  exec "$@"
}
`;

function variableOf(stage: number, name: string): string {
  return `MW_${stage}_${name}`;
}

/**
 * One command that runs a pipeline and tells on its standard error how each stage fared. Arguments and folders are
 * positional parameters of a fixed text, variables come by its own environment under other names; nothing of them
 * is ever parsed by the shell. Descriptor 3 is where it tells, 5 is a stage's standard output.
 * @param mark a line that no program prints by accident
 * @throws FailureError for a variable that a shell cannot set (named; its value is never shown)
 */
export function pipelineCommand(
  stages: readonly [PipeStage, ...PipeStage[]],
  mark: string,
): Pick<Command, 'argv' | 'env'> {
  const args: string[] = [mark];
  const env: Record<string, string> = {};
  const parameter = (value: string): string => `"\${${args.push(value)}}"`;
  const parts = stages.map((stage, index) => {
    const number = index + 1;
    const exports = Object.entries(stage.env ?? {}).map(([name, value]) => {
      demandVariableName(name);
      env[variableOf(number, name)] = value;
      return `export ${name}="$${variableOf(number, name)}"; `;
    });
    const words = [stage.workingDirectory ?? '', ...stage.argv].map(parameter).join(' ');
    return (
      `{ { ( ${exports.join('')}mw_only_own; mw_start ${words} ) 2>&1 >&5 3>&- 5>&-; printf '%s\\n' "$mw_mark$?"; }` +
      ` | mw_tell ${number} >&3 5>&-; } 5>&1`
    );
  });
  const hidden = Object.keys(env);
  const text = [
    'exec 3>&2 2>/dev/null',
    'mw_mark=$1',
    telling,
    starting,
    `mw_only_own() { ${hidden.length === 0 ? ':' : `unset ${hidden.join(' ')}`}; }`,
    parts.join(' |\n'),
  ].join('\n');
  return { argv: ['sh', '-c', text, 'sh', ...args], env };
}
