import type { Command, PipeStage } from '../../ports/host.ts';

/** Characters in one argument; the kernel takes 131072 bytes (MAX_ARG_STRLEN, execve(2)). */
const chunkLength = 100_000;

/**
 * Gives pg_restore its list on descriptor 3, which is a pipe that the shell writes by its own `printf`: no file is
 * needed, and standard input stays that of the dump. The first argument counts those that hold the list.
 */
const listed = `
mw_count=$1
shift
exec 4<&0
mw_tell() {
  while [ "$mw_count" -gt 0 ]; do
    printf '%s' "$1"
    shift
    mw_count=$((mw_count - 1))
  done
}
mw_tell "$@" | {
  shift "$mw_count"
  exec "$@" 3<&0 0<&4 4<&-
}
`;

/** What pg_restore leaves unread, so that whoever sends it does not fail of a dump that was restored well. */
const draining = `
"$@" || exit "$?"
cat >/dev/null
`;

/**
 * A pg_restore that restores these entries; without workers in this order (of a list, only the numbers count).
 * @param client its command line
 */
export function restoreEntries(
  client: Pick<Command, 'argv'> & { readonly env: Readonly<Record<string, string>> },
  entries: readonly number[] | null,
): Pick<Command, 'argv'> & { readonly env: Readonly<Record<string, string>> } {
  if (entries === null) return client;
  const lines = entries.map((id) => `${id}\n`);
  const chunks: string[] = [''];
  for (const line of lines) {
    const last = chunks.length - 1;
    const chunk = chunks[last] ?? '';
    if (chunk.length + line.length > chunkLength) chunks.push(line);
    else chunks[last] = chunk + line;
  }
  return {
    argv: ['sh', '-c', listed, 'sh', String(chunks.length), ...chunks, ...client.argv],
    env: client.env,
  };
}

/** The argument that makes pg_restore take the list. */
export function listArgument(entries: readonly number[] | null): string[] {
  return entries === null ? [] : ['--use-list=/dev/fd/3'];
}

/** The last stage of a pipeline, which reads all of its input when it goes well. */
export function readingAll({ argv, env }: PipeStage): PipeStage {
  return { argv: ['sh', '-c', draining, 'sh', ...argv], ...(env === undefined ? {} : { env }) };
}
