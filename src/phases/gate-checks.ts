import { failureOf } from '../ports/failure.ts';
import type { GateEnvironment } from '../ports/github.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import type { PreflightContext } from './preflight.ts';

/** Every gate of the plan, as GitHub has it. */
export async function checkGates(context: PreflightContext): Promise<Check[]> {
  const { github, gated, plan } = context;
  const { gates, acceptUnprotected } = plan.preflight;
  if (github === undefined || !gated) {
    return [
      {
        id: 'gates',
        title: 'Gates',
        verdict: 'not-applicable',
        value: gated
          ? 'not run by GitHub: whoever starts it approves it'
          : 'a window in one job has no gates: whoever starts it approves it',
        limit: 'environments with required reviewers',
      },
    ];
  }
  return Promise.all(
    gates.map(async (name) => {
      const found = await github.environment(name).catch((error: unknown): GateEnvironment => ({
        kind: 'unreadable',
        reason: failureOf(error).message,
      }));
      return judgeGate(name, found, acceptUnprotected.includes(name));
    }),
  );
}

/** A gate that nobody has to review is no gate: GitHub makes a mistyped one without protection. */
export function judgeGate(name: string, gate: GateEnvironment, accepted: boolean): Check {
  const head = {
    id: `gate-${name}`,
    title: `Gate ${name}`,
    limit: 'exists and has required reviewers',
  };
  const without = (value: string, next: string): Check =>
    accepted
      ? {
          ...head,
          verdict: 'warning',
          value: `${value}; accepted by name in the plan`,
          next: 'The report shows it.',
        }
      : { ...head, verdict: 'failed', value, next };
  const mend = `Create it under Settings, Environments with required reviewers, or accept it by name in preflight.accept-unprotected. On private repositories reviewers need GitHub Enterprise.`;
  switch (gate.kind) {
    case 'missing':
      return without(
        'there is no environment of that name; GitHub would create it without protection',
        mend,
      );
    case 'unreadable':
      return without(
        `cannot be read: ${gate.reason}`,
        'Give the token `actions: read`, or accept the gate by name in preflight.accept-unprotected.',
      );
    case 'found':
      if (gate.reviewers.length === 0) return without('has no required reviewers', mend);
      return {
        ...head,
        verdict: 'passed',
        value: `reviewers ${gate.reviewers.join(', ')}${gate.preventsSelfReview ? ', no self-review' : ''}`,
      };
  }
}
