import type { Database } from '../../ports/database.ts';
import type { Compression, CompressionChoice } from '../../ports/dump-manifest.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import { decideCompression } from './compression-decision.ts';
import {
  compressionArgument,
  fastest,
  methodsOf,
  methodText,
  plainGzip,
  type CompressionMethod,
} from './compression-methods.ts';
import { leastSample, measureCompression } from './compression-sample.ts';
import type { Server } from './server.ts';

type DumpOptions = Parameters<Database['dump']>[0];

/** What is measured, as far as pg_dump can do it. */
const candidates: readonly CompressionMethod[] = [
  fastest.lz4,
  fastest.zstd,
  { name: 'zstd', level: 3 },
  fastest.gzip,
  { name: 'gzip', level: 6 },
];

/** Whether pg_dump was built with a method: it says so before it connects anywhere, and there is nobody at this place. */
async function canDo(server: Server, method: CompressionMethod): Promise<boolean> {
  const { major } = await server.programs();
  if (!methodsOf(major).includes(method.name)) return false;
  if (method.name === 'none' || method.name === 'gzip') return true;
  const client = await server.client(
    'pg_dump',
    ['--no-password', '--format=custom', '--schema-only', compressionArgument(method, major)],
    server.psql.database,
  );
  const { stderr } = await server.host.run({
    argv: client.argv,
    env: { ...client.env, PGHOST: '/nowhere' },
    timeoutSeconds: 30,
  });
  return !stderr.includes('compression');
}

/**
 * How the installed pg_dump can compress.
 * @throws FailureError `database-client-missing`
 */
export async function possibleCompressions(
  server: Server,
): Promise<{ readonly by: string; readonly possible: readonly Compression[] }> {
  const possible: Compression[] = ['auto'];
  for (const name of ['none', 'gzip', 'lz4', 'zstd'] as const) {
    if (await canDo(server, fastest[name])) possible.push(name);
  }
  const { versions } = await server.programs();
  return { by: `pg_dump ${versions.pg_dump} on ${server.host.name}`, possible };
}

async function measured(
  server: Server,
  keeper: Host,
  options: DumpOptions,
): Promise<{ method: CompressionMethod; reason: string }> {
  const possible: CompressionMethod[] = [];
  for (const method of candidates) {
    const known = possible.find(({ name }) => name === method.name);
    if (known !== undefined || (await canDo(server, method))) possible.push(method);
  }
  const workers = options.keeper === undefined ? options.jobs : 1;
  const figures = await measureCompression(server, keeper, options.directory, possible, workers);
  if (figures.sampleBytes < leastSample) {
    return { method: plainGzip, reason: 'the database is too small for a measurement' };
  }
  if (figures.methods.length === 1) {
    return { method: plainGzip, reason: 'the host has no program to measure compression with' };
  }
  return decideCompression(figures);
}

/**
 * How a dump is compressed, and why.
 * @throws FailureError `database-compression-unsupported` when the plan names what the installed pg_dump cannot do
 */
export async function chooseCompression(
  server: Server,
  keeper: Host,
  options: DumpOptions,
): Promise<{ readonly method: CompressionMethod; readonly choice: CompressionChoice }> {
  const wanted = options.compression ?? 'gzip';
  const say = (method: CompressionMethod, reason: string) => ({
    method,
    choice: { chosen: methodText(method), reason },
  });
  if (wanted !== 'auto') {
    const method = fastest[wanted];
    if (await canDo(server, method)) return say(method, 'as the plan has it');
    const { versions } = await server.programs();
    return fail({
      code: 'database-compression-unsupported',
      message: `pg_dump ${versions.pg_dump} on ${server.host.name} cannot compress by ${wanted}.`,
      state: 'Nothing was written.',
      next: 'Give backup-db.compression as gzip or auto, or install client programs of PostgreSQL 16 or newer that were built with it.',
    });
  }
  try {
    const { method, reason } = await measured(server, keeper, options);
    return say(method, reason);
  } catch (error) {
    const failure = failureOf(error);
    // What keeps a sample from being taken may well let a dump through; what ends the run ends this too.
    if (failure.code === 'cancelled' || failure.code === 'host-unreachable') throw error;
    return say(plainGzip, `it could not be measured: ${failure.message}`);
  }
}
