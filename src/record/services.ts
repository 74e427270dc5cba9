import * as z from 'zod';
import { resumeMoments } from '../ports/services.ts';

/** A service on one host: how it was before the window, and what the window did to it. No secrets stand here. */
export const serviceRecordSchema = z.object({
  id: z.string(),
  /** As the plan names it. */
  host: z.string(),
  kind: z.string(),
  title: z.string(),
  resume: z.enum(resumeMoments),
  /** Written before the first service was stopped. */
  prior: z.enum(['running', 'stopped', 'failed', 'replaced', 'missing', 'changing']),
  priorDetail: z.string(),
  /** What its adapter needs to start exactly this again. */
  mark: z.string().optional(),
  /** Written before it is asked to stop: from then on this window owes its start. */
  stopBegunAt: z.string().optional(),
  stoppedAt: z.string().optional(),
  stopSeconds: z.number().optional(),
  /** It did not end by itself. */
  killed: z.boolean().optional(),
  /** Proved running again. */
  startedAt: z.string().optional(),
  /** Why it was not started again, or what else people should know. */
  note: z.string().optional(),
});
export type ServiceRecord = z.infer<typeof serviceRecordSchema>;

/** Whether this window stopped it, or began to, and has not seen it run again. */
export function isOwed(entry: ServiceRecord): boolean {
  return entry.stopBegunAt !== undefined && entry.startedAt === undefined;
}
