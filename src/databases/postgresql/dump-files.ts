import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { z } from 'zod';
import type { DumpManifest } from '../../ports/dump-manifest.ts';
import { databasePropertiesSchema } from '../../ports/database-properties.ts';
import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';

/** Written into a dump's folder last of all: where it stands, the dump is finished. */
export const manifestName = 'manifest.json';

export type DumpFile = DumpManifest['files'][number];

/** Files hashed at once; more would only make the disk seek. */
const atOnce = 2;

const manifestSchema: z.ZodType<DumpManifest> = z.object({
  schemaVersion: z.literal(1),
  windowId: z.string(),
  database: databasePropertiesSchema,
  startedAt: z.string(),
  seconds: z.number(),
  format: z.enum(['directory', 'stream']),
  compression: z
    .object({ chosen: z.string(), reason: z.string() })
    .default({ chosen: 'gzip:1', reason: 'as it always was' }),
  encrypted: z.boolean().default(false),
  serverVersion: z.string(),
  dumpVersion: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  files: z.array(z.object({ name: z.string(), bytes: z.number(), sha256: z.string() })),
  tocEntries: z.number(),
  order: z
    .object({ first: z.array(z.number()), last: z.array(z.number()) })
    .nullable()
    .default(null),
  rows: z.record(z.string(), z.number()),
  roles: z.array(z.string()),
  notes: z.array(z.string()).default([]),
});

/** Sizes and checksums of all files of a dump, by name; the manifest itself is left out. */
export async function describeFiles(host: Host, folder: string): Promise<readonly DumpFile[]> {
  const names = (await host.list(folder)).filter((name) => name !== manifestName);
  const files: DumpFile[] = [];
  for (let start = 0; start < names.length; start += atOnce) {
    const some = names.slice(start, start + atOnce).map(async (name) => {
      const path = posix.join(folder, name);
      const status = await host.status(path);
      return { name, bytes: status?.bytes ?? 0, sha256: await host.sha256(path) };
    });
    files.push(...(await Promise.all(some)));
  }
  return files;
}

/** One checksum for all files: what `sha256sum * | LC_ALL=C sort | sha256sum` prints without the manifest. */
export function overallSha256(files: readonly DumpFile[]): string {
  const lines = files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).sort();
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/** The last file of a dump; durable when this returns. */
export async function writeManifest(
  host: Host,
  folder: string,
  manifest: DumpManifest,
): Promise<void> {
  await host.writeFile(
    posix.join(folder, manifestName),
    `${JSON.stringify(manifest, undefined, 2)}\n`,
    { mode: 0o600 },
  );
}

function damaged(folder: string, problem: string): never {
  fail({
    code: 'database-dump-damaged',
    message: `The dump in ${folder} cannot be used: ${problem}.`,
    state: 'Nothing was restored from it; no database was changed.',
    next: 'Use another dump, or copy this one again from where it is whole.',
  });
}

/** The manifest of a finished dump. @throws FailureError `database-dump-damaged` */
export async function readManifest(host: Host, folder: string): Promise<DumpManifest> {
  const bytes = await host.readFile(posix.join(folder, manifestName));
  if (bytes === undefined) damaged(folder, `it has no ${manifestName}, so it was never finished`);
  try {
    return manifestSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return damaged(folder, `its ${manifestName} cannot be read`);
  }
}

/** Compares every file with the manifest. @throws FailureError `database-dump-damaged` */
export async function checkFiles(
  host: Host,
  folder: string,
  manifest: DumpManifest,
): Promise<void> {
  const found = new Map((await describeFiles(host, folder)).map((file) => [file.name, file]));
  for (const { name, bytes, sha256 } of manifest.files) {
    const file = found.get(name);
    if (file === undefined) damaged(folder, `the file ${name} is missing`);
    if (file.bytes !== bytes) {
      damaged(folder, `the file ${name} has ${file.bytes} bytes instead of ${bytes}`);
    }
    if (file.sha256 !== sha256) damaged(folder, `the file ${name} has another checksum`);
  }
}
