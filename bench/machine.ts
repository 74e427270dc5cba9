import { execFile } from 'node:child_process';
import { availableParallelism, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newestPostgresqlPrograms } from '../rehearsal/cluster.ts';

const run = promisify(execFile);

/** The machine in general words: what a reader needs to compare it with another. */
export async function describeMachine(): Promise<string> {
  const postgres = await run(join(await newestPostgresqlPrograms(), 'postgres'), ['--version']);
  const { PATH = '' } = process.env;
  const nginx = await run('nginx', ['-v'], { env: { PATH: `${PATH}:/usr/sbin:/usr/local/sbin` } });
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return [
    `${process.platform} on ${process.arch}, ${availableParallelism()} processors, ${gibibytes} GiB of memory`,
    `Node ${process.version.slice(1)}`,
    `PostgreSQL ${/\d+(?:\.\d+)*/.exec(postgres.stdout)?.[0] ?? '?'}`,
    `nginx ${/nginx\/([\d.]+)/.exec(nginx.stderr)?.[1] ?? '?'}`,
  ].join('; ');
}

/** How much else the machine was doing: processes that wanted to run, on average over the last minute. */
export function busyness(): number {
  return loadavg()[0] ?? 0;
}
