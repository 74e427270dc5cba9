import * as z from 'zod';
import { serverPlaceSchema } from '../ports/server-place.ts';

/**
 * A replica that the window stops, and all that is needed to start it again as it was, or to promote it; written
 * before it is touched, without secrets.
 */
export const borrowedStandbySchema = z.object({
  borrowedAt: z.string(),
  replica: serverPlaceSchema,
  primary: serverPlaceSchema,
  /** The timeline that both were on. */
  timeline: z.number(),
  reachedBy: z.enum(['port', 'command']),
  /** Where the primary listened, for a replica that takes its place. */
  taken: z.object({
    port: z.number(),
    listenAddresses: z.string().optional(),
    socketFolders: z.string().optional(),
  }),
  /** Replication slot of ours that makes the primary keep its log meanwhile. */
  slot: z.string().optional(),
  /** Other receivers of the primary: after a rollback they follow a server that is stopped. */
  otherReceivers: z.array(z.string()),
  /** The primary's setting synchronous_standby_names; a promoted replica has it empty. */
  synchronousNames: z.string(),
  /** Set when it follows the primary again. */
  resumedAt: z.string().optional(),
  /** Set when it took the primary's place. */
  promotedAt: z.string().optional(),
});
export type BorrowedStandby = z.infer<typeof borrowedStandbySchema>;

/** The replica that a window has stopped and neither given back nor promoted. */
export function owedStandby({
  standby,
}: {
  readonly standby?: BorrowedStandby | undefined;
}): BorrowedStandby | undefined {
  return standby?.resumedAt === undefined && standby?.promotedAt === undefined
    ? standby
    : undefined;
}

/** The failed primary after a rollback, for people. */
export function failedPrimary({ primary }: Pick<BorrowedStandby, 'primary'>): string {
  return `the data directory ${primary.dataDirectory} on ${primary.host}, whose server is stopped`;
}
