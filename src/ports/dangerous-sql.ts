/** What a statement can do that takes data or service away at one stroke; the plan consents to it by this name. */
export const dangers = [
  'drop',
  'drop-column',
  'truncate',
  'delete-all',
  'update-all',
  'vacuum-full',
  'cluster',
  'reindex',
] as const;
export type Danger = (typeof dangers)[number];

/** A statement that runs only with the plan's consent. */
export interface DangerousStatement {
  readonly danger: Danger;
  /** Line in the SQL text, from 1. */
  readonly line: number;
  /** What it is, for people: `DELETE without WHERE`. */
  readonly what: string;
}
