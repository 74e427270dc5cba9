import { z } from 'zod';
import type { Host, PipeStage } from '../../ports/host.ts';
import { pipedBytes } from '../../ports/piped-bytes.ts';
import { storing } from '../../ports/stored-bytes.ts';
import type { CompressionFigures, MeasuredMethod } from './compression-decision.ts';
import type { CompressionMethod } from './compression-methods.ts';
import type { Server } from './server.ts';

/** Bytes of the sample at most, as COPY prints them, which is what a dump compresses. */
const sampleLimit = 8 * 1024 * 1024;
/** A smaller sample says nothing about speed. */
export const leastSample = 256 * 1024;
/** Tables that the sample is taken from, the largest. */
const tablesSampled = 5;
const writtenBytes = 4 * 1024 * 1024;
const limitSeconds = 10;

const tableRow = z.object({ name: z.string(), bytes: z.number(), rows: z.number() });

/** The statements that print a sample of the largest tables, each by its share; they only read, and only for a moment. */
async function sampleScript({ psql }: Server): Promise<string> {
  const tables = await psql.rows(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, pg_table_size(c.oid) AS bytes, c.reltuples AS rows
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
       AND has_table_privilege(c.oid, 'SELECT')
     ORDER BY pg_table_size(c.oid) DESC, c.oid LIMIT ${tablesSampled}`,
    tableRow,
    { timeoutSeconds: limitSeconds },
  );
  const total = tables.reduce((sum, { bytes }) => sum + bytes, 0);
  const copies = tables.map(({ name, bytes, rows }) => {
    // Half as much again: pages are not full.
    const share = Math.min(1, (1.5 * sampleLimit) / Math.max(total, 1));
    const some = share < 1 && rows > 1000;
    const sampled = some ? ` TABLESAMPLE SYSTEM (${(100 * share).toFixed(6)}) REPEATABLE (1)` : '';
    const most = Math.ceil((share * bytes) / 24) + 1;
    return `COPY (SELECT * FROM ONLY ${name}${sampled} LIMIT ${most}) TO STDOUT;`;
  });
  return [
    "SET statement_timeout = '3s'; SET lock_timeout = '1s'; SET row_security = off;",
    'SET search_path = pg_catalog; BEGIN READ ONLY;',
    ...copies,
    'COMMIT;\n',
  ].join('\n');
}

/** Compresses the head of its input; tells the size, and the CPU time of its children (`times`, POSIX). */
const compressing = 'limit=$1; shift; head -c "$limit" | "$@" | wc -c; times';
const reading = 'dd bs=65536 count="$1" iflag=fullblock of=/dev/null';

/** What `dd` says that it copied, in the C locale, of GNU and busybox. */
export function copiedFigures(
  said: string,
): { readonly bytes: number; readonly seconds: number } | undefined {
  const [, bytes, seconds] = /^(\d+) bytes .*copied, ([\d.e-]+) s/m.exec(said) ?? [];
  return bytes === undefined ? undefined : { bytes: Number(bytes), seconds: Number(seconds) };
}

/** Bytes and CPU seconds in what the compressing stage prints. */
export function compressedFigures(
  printed: string,
): { readonly bytes: number; readonly cpuSeconds: number } | undefined {
  const [size = '', , children = ''] = printed.trim().split('\n');
  const times = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  if (!/^\s*\d+\s*$/.test(size) || times.length !== 2) return undefined;
  const cpuSeconds = times.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
  return { bytes: Number(size), cpuSeconds };
}

/** The program that compresses as pg_dump does. */
function programOf({ name, level }: CompressionMethod): readonly [string, ...string[]] {
  return [name, `-${level}`, '-c'];
}

async function textOf(
  host: Host,
  stages: [PipeStage, ...PipeStage[]],
  script: string,
): Promise<{ readonly printed: string; readonly said: string }> {
  let printed = '';
  const results = await host.pipe(stages, {
    source: (async function* () {
      yield await Promise.resolve(Buffer.from(script));
    })(),
    sink: (chunk) => {
      printed += Buffer.from(chunk).toString('latin1');
    },
    timeoutSeconds: limitSeconds,
  });
  const [first] = results;
  // Whoever has enough of the sample lets go of it.
  if (first?.exitCode !== 0 && first?.exitCode !== null) {
    throw new Error(first?.stderr.trim() ?? 'nothing was said');
  }
  return { printed, said: results.at(-1)?.stderr ?? '' };
}

/** Bytes a second that arrive on the keeping host's disk, from the host with the client programs. */
async function writeRate(
  { host, clock }: Server,
  keeper: Host,
  directory: string,
): Promise<number> {
  // What a killed run leaves of it is removed with other parts of that dump.
  const file = `${directory}.${globalThis.crypto.randomUUID().slice(0, 8)}.partial`;
  const count = String(writtenBytes / 65_536);
  const random = [
    'dd',
    'if=/dev/urandom',
    'bs=65536',
    `count=${count}`,
    'iflag=fullblock',
  ] as const;
  try {
    let begun = 0;
    const bytes = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of pipedBytes(host, [{ argv: random }], () => undefined)) {
        if (begun === 0) begun = clock.monotonicSeconds();
        yield chunk;
      }
    };
    const [stored] = await keeper.pipe([storing(file)], {
      source: bytes(),
      timeoutSeconds: 2 * limitSeconds,
    });
    if (stored?.exitCode !== 0) throw new Error(stored?.stderr.trim() ?? 'nothing was said');
    return writtenBytes / Math.max(clock.monotonicSeconds() - begun, 1e-3);
  } finally {
    await keeper.remove(file);
  }
}

async function freeCpus(host: Host): Promise<number> {
  const look = 'getconf _NPROCESSORS_ONLN; cat /proc/loadavg';
  const { stdout } = await host.run({ argv: ['sh', '-c', look] });
  const [cpus = '1', load = '0'] = stdout.split(/\s+/);
  return Math.max(1, Math.round((Number(cpus) || 1) - (Number(load) || 0)));
}

/**
 * Measures for about a second what compressing the database's own data costs and gives.
 * @param directory the dump's on the keeping host; something is written beside it for the moment
 * @throws what keeps it from being measured
 */
export async function measureCompression(
  server: Server,
  keeper: Host,
  directory: string,
  candidates: readonly CompressionMethod[],
  workers: number,
): Promise<CompressionFigures> {
  const { host, psql } = server;
  const script = await sampleScript(server);
  const client = await server.client('psql', ['-X', '-q', '-w', '-f', '-'], psql.database);
  const source: PipeStage = { argv: client.argv, env: client.env };
  const stage = (text: string, ...args: readonly string[]): PipeStage => ({
    argv: ['sh', '-c', text, 'sh', ...args],
  });
  const count = String(sampleLimit / 65_536);
  const { said } = await textOf(host, [source, stage(reading, count)], script);
  const { bytes: sampleBytes, seconds: readSeconds } = copiedFigures(said) ?? {
    bytes: 0,
    seconds: 0,
  };
  const methods: MeasuredMethod[] = [
    { method: { name: 'none', level: 0 }, cpuSeconds: 0, bytes: sampleBytes },
  ];
  if (sampleBytes < leastSample) {
    return { sampleBytes, readSeconds, freeCpus: 1, workers, writeRate: 1, methods };
  }
  for (const method of candidates) {
    const compress = stage(compressing, String(sampleLimit), ...programOf(method));
    const found = compressedFigures((await textOf(host, [source, compress], script)).printed);
    // A program that is not there prints nothing.
    if (found !== undefined && found.bytes > 0) methods.push({ method, ...found });
  }
  return {
    ...{ sampleBytes, readSeconds, workers, methods },
    freeCpus: await freeCpus(host),
    writeRate: await writeRate(server, keeper, directory),
  };
}
