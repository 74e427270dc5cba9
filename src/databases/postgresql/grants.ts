import type { DatabaseProperties } from '../../ports/database.ts';
import { quoteIdentifier } from './quoting.ts';

export type Grant = NonNullable<DatabaseProperties['grants']>[number];

/** Grants by one grantor, in an order in which each step is allowed. */
export interface GrantStep {
  readonly grantor: string;
  readonly statements: readonly string[];
}

function nameOf(role: string | null): string {
  return role === null ? 'PUBLIC' : quoteIdentifier(role);
}

/** Takes all rights on a database from everybody who is named in its grants, and from PUBLIC. */
export function revokeStatements(database: string, current: readonly Grant[]): string[] {
  const grantees = new Set<string | null>([null, ...current.map(({ grantee }) => grantee)]);
  return [...grantees].map(
    (role) => `REVOKE ALL ON DATABASE ${quoteIdentifier(database)} FROM ${nameOf(role)} CASCADE`,
  );
}

/**
 * Orders grants so that every grantor has its grant option by the time it grants: the owner first, then who got
 * a right from the owner with grant option, and so on. What nobody could have granted comes last, by its grantor.
 */
export function grantSteps(
  database: string,
  owner: string,
  wanted: readonly Grant[],
): readonly GrantStep[] {
  const steps: GrantStep[] = [];
  let left = [...wanted];
  const canGrant = (role: string, privilege: string): boolean =>
    role === owner ||
    wanted.some(
      (grant) =>
        grant.grantee === role &&
        grant.privilege === privilege &&
        grant.grantable &&
        !left.includes(grant),
    );
  while (left.length > 0) {
    const possible = left.filter(({ grantor, privilege }) => canGrant(grantor, privilege));
    const now = possible.length === 0 ? left : possible;
    left = left.filter((grant) => !now.includes(grant));
    for (const grantor of new Set(now.map((grant) => grant.grantor))) {
      steps.push({
        grantor,
        statements: now
          .filter((grant) => grant.grantor === grantor)
          .map(
            ({ privilege, grantee, grantable }) =>
              `GRANT ${privilege} ON DATABASE ${quoteIdentifier(database)} TO ${nameOf(grantee)}${grantable ? ' WITH GRANT OPTION' : ''}`,
          ),
      });
    }
  }
  return steps;
}
