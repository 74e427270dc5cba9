import * as z from 'zod';
import { fail } from '../../ports/failure.ts';
import { answerFilters } from './answer-filters.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const absolute = z.string().startsWith('/');

const fileSchema = z.strictObject({
  /** As the plan names it, and where its symbolic links lead. */
  path: z.string(),
  realPath: absolute,
  mode: z.int().min(0),
  uid: z.int().min(0),
  gid: z.int().min(0),
  /** As `plan` met it; differs from `sha256Before` when our line of an earlier window was in it. */
  sha256Found: sha256,
  /** Without any line of ours: what `restore` gives back. */
  sha256Before: sha256,
  /** With our line in each chosen block. */
  sha256After: sha256,
  /** Offsets are bytes in the file without our lines. */
  insertions: z.array(z.strictObject({ offset: z.int().min(0), text: z.string() })),
  /** Where the bytes of `sha256Before` are kept while the hook is in. */
  originalPath: absolute,
  /** An earlier window left its line here, on purpose or because it was killed. */
  hookedBefore: z.boolean(),
});

const priorSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('nginx'),
  folder: absolute,
  hookId: z.string().regex(/^[0-9a-f]{32}$/),
  openFileCacheOff: z.boolean(),
  /** Filters of the site that our answers are freed of; older records do not have it. */
  quieted: z.array(z.enum(answerFilters)).default([]),
  /** Our snippet as an earlier window left it; `null` when there was none. */
  snippetBefore: sha256.nullable(),
  files: z.array(fileSchema).min(1),
});

/** What the nginx mode must remember to give back what was there; JSON. */
export type NginxPrior = z.infer<typeof priorSchema>;
export type PriorFile = z.infer<typeof fileSchema>;

/**
 * Reads a prior state from a record.
 * @throws FailureError `prior-unreadable`
 */
export function parsePrior(value: unknown, folder: string): NginxPrior {
  const parsed = priorSchema.safeParse(value);
  if (!parsed.success) {
    return fail({
      code: 'prior-unreadable',
      message: `The prior state of nginx in the record cannot be read: ${z.prettifyError(parsed.error)}`,
      state: 'Nothing was touched.',
      next: 'Use the version of the software that began the window, or give back the site files by hand.',
    });
  }
  if (parsed.data.folder !== folder) {
    return fail({
      code: 'prior-unreadable',
      message: `The record's hook is in ${parsed.data.folder}, but the settings say ${folder}.`,
      state: 'Nothing was touched.',
      next: 'Use the `state-dir` and the name that the window began with, then run the step again.',
    });
  }
  return parsed.data;
}
