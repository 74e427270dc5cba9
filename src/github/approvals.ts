import * as z from 'zod';
import type { Approval } from '../ports/github.ts';
import { dataOf, unknownShape, type ApiGet } from './api-reply.ts';

/** The fields we read of "Get the review history for a workflow run". */
export const approvalsSchema = z.array(
  z.object({
    state: z.enum(['approved', 'rejected', 'pending']),
    // Deleted accounts are shown as `ghost` by GitHub.
    user: z.object({ login: z.string() }).nullable(),
    comment: z.string().nullable(),
    environments: z.array(z.object({ name: z.string().optional() })),
  }),
);

/** Reviews from the API's words into ours. Pure. */
export function approvalsOf(reviews: z.infer<typeof approvalsSchema>): Approval[] {
  return reviews.map((review) => ({
    state: review.state,
    user: review.user?.login ?? 'ghost',
    comment: review.comment ?? '',
    environments: review.environments.flatMap(({ name }) => (name === undefined ? [] : [name])),
  }));
}

/**
 * Reads the reviews of all gates of a run, of all its attempts.
 * @throws FailureError with a `github-…` code
 */
export async function readApprovals(get: ApiGet, runId: number): Promise<Approval[]> {
  const what = `the approvals of run ${runId}`;
  const reply = await get('GET /repos/{owner}/{repo}/actions/runs/{run_id}/approvals', {
    run_id: runId,
  });
  const parsed = approvalsSchema.safeParse(dataOf(reply, what));
  if (!parsed.success) return unknownShape(what, z.prettifyError(parsed.error));
  return approvalsOf(parsed.data);
}
