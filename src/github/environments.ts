import * as z from 'zod';
import type { GateEnvironment } from '../ports/github.ts';
import type { ApiGet, ApiReply } from './api-reply.ts';

/** The fields we read of "Get an environment"; unknown kinds of rules and reviewers pass and count as none. */
export const environmentSchema = z.object({
  protection_rules: z
    .array(
      z.object({
        type: z.string(),
        wait_timer: z.number().optional(),
        prevent_self_review: z.boolean().optional(),
        reviewers: z
          .array(
            z.object({
              type: z.string().optional(),
              reviewer: z
                .object({ login: z.string().optional(), slug: z.string().optional() })
                .nullish(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
});

type Environment = z.infer<typeof environmentSchema>;

function reviewersOf(environment: Environment): string[] {
  return (environment.protection_rules ?? [])
    .filter((rule) => rule.type === 'required_reviewers')
    .flatMap((rule) => rule.reviewers ?? [])
    .flatMap(({ type, reviewer }) => {
      if (type === 'User' && reviewer?.login !== undefined) return [reviewer.login];
      if (type === 'Team' && reviewer?.slug !== undefined) return [`team:${reviewer.slug}`];
      return [];
    });
}

/** What a reply about an environment says of it as a gate. Pure. */
export function gateEnvironment(reply: ApiReply): GateEnvironment {
  if (reply.kind === 'missing') return { kind: 'missing' };
  if (reply.kind !== 'ok') return { kind: 'unreadable', reason: reply.reason };
  const parsed = environmentSchema.safeParse(reply.data);
  if (!parsed.success) {
    return {
      kind: 'unreadable',
      reason: `the answer has an unknown shape: ${z.prettifyError(parsed.error)}`,
    };
  }
  const rules = parsed.data.protection_rules ?? [];
  return {
    kind: 'found',
    reviewers: reviewersOf(parsed.data),
    preventsSelfReview: rules.some((rule) => rule.prevent_self_review === true),
    waitMinutes: Math.max(0, ...rules.map((rule) => rule.wait_timer ?? 0)),
  };
}

/** Reads an environment of the repository. */
export async function readEnvironment(get: ApiGet, name: string): Promise<GateEnvironment> {
  // A URL cannot carry these, also when encoded: the request would be for something else.
  if (name === '' || name === '.' || name === '..') {
    return {
      kind: 'unreadable',
      reason: `GitHub cannot be asked for the name ${JSON.stringify(name)}`,
    };
  }
  const reply = await get('GET /repos/{owner}/{repo}/environments/{environment_name}', {
    environment_name: name,
  });
  return gateEnvironment(reply);
}
