import type { Check } from '../ports/maintenance-mode.ts';

/** Whether smoke tests can reach an application that answers 503 by itself. */
export function bypassCheck(id: string, bypass: { readonly name: string } | undefined): Check {
  const title = {
    id,
    title: 'Smoke tests can pass the closed door',
    limit: 'a header that the application honours',
  };
  if (bypass !== undefined) {
    return {
      ...title,
      verdict: 'passed',
      value: `header ${bypass.name}; closing proves that the application honours it`,
    };
  }
  return {
    ...title,
    verdict: 'warning',
    value: 'none',
    next: 'Let the application pass requests with a secret header and set `bypass-token`, so that smoke tests reach it while the public still sees 503.',
  };
}
