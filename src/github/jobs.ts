import * as z from 'zod';
import type { JobResult } from '../ports/github.ts';
import { dataOf, unknownShape, type ApiGet } from './api-reply.ts';

/** The fields we read of "List jobs for a workflow run". */
export const jobsSchema = z.object({
  total_count: z.number(),
  jobs: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      conclusion: z.string().nullable(),
      started_at: z.string().nullish(),
      completed_at: z.string().nullish(),
    }),
  ),
});

/** The most that the API gives at once. */
const pageSize = 100;
/** A run has at most some thousands of jobs; this ends the loop should the API never end. */
const pageLimit = 100;

type Job = z.infer<typeof jobsSchema>['jobs'][number];

/** A job from the API's words into ours; without a conclusion its status stands for it. Pure. */
export function jobResultOf(job: Job): JobResult {
  const { name, status, conclusion, started_at: started, completed_at: completed } = job;
  return {
    name,
    conclusion: conclusion ?? status,
    ...(typeof started === 'string' ? { startedAt: started } : {}),
    ...(typeof completed === 'string' ? { completedAt: completed } : {}),
  };
}

/**
 * Reads all jobs of the latest attempt of a run.
 * @throws FailureError with a `github-…` code
 */
export async function readJobs(get: ApiGet, runId: number): Promise<JobResult[]> {
  const what = `the jobs of run ${runId}`;
  const found: JobResult[] = [];
  for (let page = 1; page <= pageLimit; page += 1) {
    const reply = await get('GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs', {
      run_id: runId,
      filter: 'latest',
      per_page: pageSize,
      page,
    });
    const parsed = jobsSchema.safeParse(dataOf(reply, what));
    if (!parsed.success) return unknownShape(what, z.prettifyError(parsed.error));
    found.push(...parsed.data.jobs.map(jobResultOf));
    if (parsed.data.jobs.length === 0 || found.length >= parsed.data.total_count) break;
  }
  return found;
}
