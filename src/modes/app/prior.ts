import * as z from 'zod';
import { fail } from '../../ports/failure.ts';
import { changeSchema } from './change.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const absolute = z.string().startsWith('/');

/** What the change of a settings file is remembered by; never the file itself, which may hold secrets. */
const changed = {
  /** As the plan names it, and where its symbolic links lead. */
  path: absolute,
  realPath: absolute,
  format: z.string(),
  key: z.string(),
  sha256Before: sha256,
  /** With the key set as this window sets it. */
  sha256After: sha256,
  change: changeSchema,
};

const priorSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('app'),
  ...changed,
  mode: z.int().min(0),
  uid: z.int().min(0),
  gid: z.int().min(0),
});

/** What the app mode must remember to give back what was there; JSON. */
export type AppPrior = z.infer<typeof priorSchema>;

/** Says who set the key, and what was at it; written before the file is. */
export const closedNoteSchema = z.strictObject({
  version: z.literal(1),
  windowId: z.string(),
  ...changed,
});
export type ClosedNote = z.infer<typeof closedNoteSchema>;

/** Says that this window found the file fit to be edited. */
export const preparedNoteSchema = z.strictObject({
  version: z.literal(1),
  windowId: z.string(),
  sha256Before: sha256,
});
export type PreparedNote = z.infer<typeof preparedNoteSchema>;

/**
 * Reads a prior state from a record.
 * @throws FailureError `prior-unreadable`
 */
export function parsePrior(
  value: unknown,
  settings: { readonly file: string; readonly key: string },
): AppPrior {
  const parsed = priorSchema.safeParse(value);
  if (!parsed.success) {
    return fail({
      code: 'prior-unreadable',
      message: `The prior state of the application's settings in the record cannot be read: ${z.prettifyError(parsed.error)}`,
      state: 'Nothing was touched.',
      next: 'Use the version of the software and the mode that began the window.',
    });
  }
  const { path, key } = parsed.data;
  if (path !== settings.file || key !== settings.key) {
    return fail({
      code: 'prior-unreadable',
      message: `The window began with ${key} in ${path}, but the settings say ${settings.key} in ${settings.file}.`,
      state: 'Nothing was touched.',
      next: 'Use the app-file and the app-key that the window began with, then run the step again.',
    });
  }
  return parsed.data;
}
