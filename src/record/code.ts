import * as z from 'zod';

/** A checkout of the application's code, as it was when the window began. */
export const codeRecordSchema = z.object({
  /** As the plan names it. */
  host: z.string(),
  directory: z.string(),
  commit: z.string(),
  /** `null` when it was detached. */
  branch: z.string().nullable(),
  tag: z.string(),
  taggedAt: z.string(),
  modified: z.number(),
  untracked: z.number(),
  /** The remote in which the tag was seen. */
  pushedTo: z.string().optional(),
  /** Written before the work tree is touched. */
  putBack: z
    .object({
      begunAt: z.string(),
      /** The commit that it stood at. */
      from: z.string(),
      finishedAt: z.string().optional(),
      /** Where it is now: on its branch, or detached at the tag. */
      place: z.string().optional(),
    })
    .optional(),
});
export type CodeRecord = z.infer<typeof codeRecordSchema>;
