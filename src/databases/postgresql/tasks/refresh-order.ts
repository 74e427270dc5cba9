/** A materialized view with those that it reads from, directly or through ordinary views. */
export interface ViewNode {
  readonly oid: string;
  readonly readsFrom: readonly string[];
}

/** The views in an order in which each comes after those that it reads from; otherwise as they were given. */
export function refreshOrder<View extends ViewNode>(views: readonly View[]): readonly View[] {
  const ordered: View[] = [];
  const seen = new Set<string>();
  const visit = (view: View): void => {
    // Views cannot read from each other in a circle; a second visit is over at once all the same.
    if (seen.has(view.oid)) return;
    seen.add(view.oid);
    for (const other of views) if (view.readsFrom.includes(other.oid)) visit(other);
    ordered.push(view);
  };
  for (const view of views) visit(view);
  return ordered;
}
