import * as z from 'zod';
import { databasePropertiesSchema } from '../ports/database-properties.ts';
import { blastClasses, windowStates } from './life.ts';
import { backupReceiptSchema } from './backup-receipt.ts';
import { codeRecordSchema } from './code.ts';
import { restorePointSchema } from './restore-point.ts';
import { serviceRecordSchema } from './services.ts';
import { borrowedStandbySchema } from './standby.ts';

/** The version of the record's format that this code writes; a newer one is refused, not guessed at. */
export const recordVersion = 1;

const smokeResult = z.object({
  id: z.string(),
  kind: z.string(),
  passed: z.boolean(),
  observed: z.string(),
  expected: z.string(),
  attempts: z.number(),
  seconds: z.number(),
  /** Set when it could not be looked at and need not be; `passed` is false then, and it has not failed. */
  skipped: z.literal(true).optional(),
  /** The picture of a page, kept on the host beside the record. */
  screenshot: z.object({ file: z.string(), bytes: z.number(), sha256: z.string() }).optional(),
});

/** Where a log ended at a moment; what comes after it is new. */
const logMark = z.object({
  /** Id of the smoke test. */
  check: z.string(),
  host: z.string(),
  /** Path, or the unit whose journal it is. */
  log: z.string(),
  /** `judged`: failed smoke tests told what came before, or a rollback took it back. */
  since: z.enum(['window', 'closed', 'judged']),
  at: z.string(),
  /** Seconds of the host's own clock. */
  hostSeconds: z.number(),
  position: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('end'),
      /** Device and inode: a renamed file keeps them. */
      id: z.string(),
      bytes: z.number(),
      /** SHA-256 of the first `headBytes` bytes: a file that is cut and written anew has others. */
      headBytes: z.number(),
      head: z.string(),
    }),
    z.object({ kind: z.literal('no-file') }),
    /** A journal: `hostSeconds` is all that is needed. */
    z.object({ kind: z.literal('journal') }),
    z.object({ kind: z.literal('unknown'), reason: z.string() }),
  ]),
});

const check = z.object({
  id: z.string(),
  title: z.string(),
  verdict: z.enum(['passed', 'failed', 'warning', 'not-applicable']),
  value: z.string(),
  limit: z.string(),
  next: z.string().optional(),
});

/** Whose fault it is that a site could not be reopened. */
const reopeningBlame = z.enum(['host', 'front', 'application']);
export type ReopeningBlame = z.infer<typeof reopeningBlame>;

const finding = z.object({
  kind: z.string(),
  object: z.string(),
  observed: z.string(),
  /** The exact statement to run, when one would mend it. */
  statement: z.string().optional(),
  why: z.string(),
});

/** The status file `window.json`: the lock, and all that a new runner needs to go on or to roll back. */
export const windowStatusSchema = z.object({
  schemaVersion: z.literal(recordVersion),
  windowId: z.string(),
  name: z.string(),
  state: z.enum(windowStates),
  /** The worst class begun so far. */
  blast: z.enum(blastClasses),
  run: z.object({
    id: z.string(),
    attempt: z.number(),
    url: z.string().optional(),
    actor: z.string().optional(),
    /** Why the window is held, as the starter said. */
    reason: z.string().optional(),
  }),
  startedAt: z.string(),
  updatedAt: z.string(),
  /** The end of the planned window. */
  deadline: z.string(),
  /** Until when a record without obligations keeps other runs out. */
  leaseUntil: z.string(),
  /** Set when the window was started outside its time on purpose. */
  ignoredWindow: z.string().optional(),
  /** The plan in the form of the plan file; secrets stay references such as `$DATABASE_URL`. */
  settings: z.record(z.string(), z.json()),
  checks: z.array(check).optional(),
  /** Seconds predicted by `preflight`, by step. */
  prediction: z
    .array(
      z.object({
        step: z.string(),
        seconds: z.number(),
        closed: z.boolean(),
        basis: z.string(),
        /** Seen in an earlier window, or in this one. */
        measured: z.boolean().optional(),
        /** The plan lets the window go on without it. */
        skippable: z.boolean().optional(),
      }),
    )
    .optional(),
  maintenance: z
    .object({
      mode: z.string(),
      /** What the mode needs to give back exactly what was there; written before anything is touched. */
      prior: z.json(),
      closedAt: z.string().optional(),
      reopenedAt: z.string().optional(),
      restoration: z.string().optional(),
    })
    .optional(),
  /** Closures before the current one: a rollback after reopening closes a second time. */
  earlierClosures: z.array(z.object({ closedAt: z.string(), reopenedAt: z.string() })).optional(),
  /** Written before the first service is stopped. */
  services: z.array(serviceRecordSchema).optional(),
  /** The application's code when the window began, on each host. */
  code: z.array(codeRecordSchema).optional(),
  /** The application's database as it was before this window. */
  database: databasePropertiesSchema.optional(),
  backup: backupReceiptSchema.optional(),
  restorePoint: restorePointSchema.optional(),
  /** The replica that is, or was, stopped as restore point. */
  standby: borrowedStandbySchema.optional(),
  tasks: z
    .array(
      z.object({
        id: z.string(),
        task: z.string(),
        stage: z.enum(['online', 'closed']),
        outcome: z.enum(['done', 'failed', 'skipped']),
        seconds: z.number(),
        summary: z.string(),
        proof: z.string(),
        figures: z.record(z.string(), z.number()),
        /** Advice for people, the worst first. */
        findings: z.array(finding).optional(),
      }),
    )
    .optional(),
  /** What was done to the machines, by task and host. */
  serverTasks: z
    .array(
      z.object({
        id: z.string(),
        task: z.string(),
        host: z.string(),
        stage: z.enum(['online', 'closed']),
        outcome: z.enum(['done', 'failed', 'skipped']),
        seconds: z.number(),
        summary: z.string(),
        proof: z.string(),
        figures: z.record(z.string(), z.number()),
        /** Single things that changed: packages with their versions, certificates with their ends. */
        items: z.array(
          z.object({
            name: z.string(),
            before: z.string().nullable(),
            after: z.string().nullable(),
          }),
        ),
      }),
    )
    .optional(),
  /** Reboots that were ordered, by step: what the host was before; written before the order. */
  rebootsBegun: z
    .record(
      z.string(),
      z.object({ at: z.string(), bootId: z.string(), mounts: z.array(z.string()) }),
    )
    .optional(),
  /** Where logs ended when the window began, when the site was last closed, and when they were last judged. */
  logMarks: z.array(logMark).optional(),
  smokeTests: z
    .array(
      z.object({
        at: z.string(),
        phase: z.string(),
        passed: z.boolean(),
        results: z.array(smokeResult),
      }),
    )
    .optional(),
  /** Write activity when the site was about to reopen; a later rollback tells what it would lose. */
  writesAtReopening: z
    .record(
      z.string(),
      z.object({ inserted: z.number(), updated: z.number(), deleted: z.number() }),
    )
    .optional(),
  /** The last reopening: where it goes back to when it fails, and how it failed. */
  reopening: z
    .object({
      from: z.enum(['closed', 'changed', 'held']),
      failedAt: z.string().optional(),
      blame: reopeningBlame.optional(),
      /** The web hosts that were not opened, or did not answer from the application. */
      hosts: z.array(z.string()).optional(),
    })
    .optional(),
  /** How the doors stood when the window was held, as the end of a sentence. */
  heldDoors: z.string().optional(),
  rollback: z
    .object({
      startedAt: z.string(),
      reason: z.string(),
      from: z.enum(windowStates),
      /** The database that replaces the failed one, by oid: names change in the swap. */
      replacementOid: z.number().optional(),
      failedOid: z.number().optional(),
      /** The name under which the failed database is kept. */
      failedDatabase: z.string().optional(),
      finishedAt: z.string().optional(),
      /** What the operator accepted to lose. */
      acceptedLoss: z.string().optional(),
    })
    .optional(),
});

export type WindowStatus = z.infer<typeof windowStatusSchema>;
export type RecordedServerTask = NonNullable<WindowStatus['serverTasks']>[number];
export type SmokeResult = z.infer<typeof smokeResult>;
export type LogMark = z.infer<typeof logMark>;

/** Whether a smoke test speaks against the application; a skipped one says nothing. */
export function hasFailed({ passed, skipped }: Pick<SmokeResult, 'passed' | 'skipped'>): boolean {
  return !passed && skipped !== true;
}
