import type { Plan } from './plan.ts';

/** Paths that the application goes on answering while the site is closed; the load balancer's, unless it is to notice. */
export function exemptPathsOf(
  plan: Pick<Plan, 'enableMaintenance' | 'loadBalancer'>,
): readonly string[] {
  const { healthPath, whenClosed } = plan.loadBalancer;
  const paths = plan.enableMaintenance.exemptPaths;
  if (healthPath === undefined) return paths;
  const others = paths.filter((path) => path !== healthPath);
  return whenClosed === 'keep' ? [...others, healthPath] : others;
}
