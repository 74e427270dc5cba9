import * as z from 'zod';

/** How a server is stopped and started. */
const serverControlSchema = z.discriminatedUnion('kind', [
  /** By pg_ctl, as the owner of the data. */
  z.object({
    kind: z.literal('pg_ctl'),
    /** The options that it runs with, quoted as its own postmaster.opts has them. */
    options: z.string(),
    /** File that takes what it prints. */
    log: z.string(),
  }),
  /** By systemd, whose service it is. */
  z.object({ kind: z.literal('unit'), unit: z.string() }),
  /** By the commands of the plan. */
  z.object({ kind: z.literal('commands') }),
]);

/**
 * Where a database server is and how it runs: enough to stop it, and to start it again as it was. Found out while it
 * runs and kept in the record, without secrets.
 */
export const serverPlaceSchema = z.object({
  host: z.string(),
  dataDirectory: z.string(),
  /** Folder of the server's own programs. */
  programs: z.string(),
  /** The system user that it runs as. */
  owner: z.string(),
  port: z.number(),
  systemIdentifier: z.string(),
  control: serverControlSchema,
});
export type ServerPlace = z.infer<typeof serverPlaceSchema>;

/** How its server is stopped and started, for people. */
export function controlInWords({ control }: Pick<ServerPlace, 'control'>): string {
  switch (control.kind) {
    case 'pg_ctl':
      return 'pg_ctl';
    case 'unit':
      return `the unit ${control.unit}`;
    case 'commands':
      return 'the commands of the plan';
  }
}
