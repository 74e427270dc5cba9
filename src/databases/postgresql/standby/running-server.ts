import { posix } from 'node:path';
import { fail } from '../../../ports/failure.ts';
import type { Host } from '../../../ports/host.ts';
import type { ServerPlace } from '../../../ports/server-place.ts';
import type { ServerRole } from '../../../ports/standby.ts';

/** Prints what the machine knows of the server of a data directory, a line each, in one round trip. */
const look = `
data=$1
me=$(id -u)
owner=$(stat -c %U -- "$data") || exit 3
printf 'me=%s\\nowner=%s\\n' "$me" "$owner"
test -r "$data/postmaster.pid" || exit 4
pid=$(sed -n 1p "$data/postmaster.pid")
printf 'pid=%s\\nport=%s\\n' "$pid" "$(sed -n 4p "$data/postmaster.pid")"
printf 'program=%s\\n' "$(readlink "/proc/$pid/exe")"
printf 'options=%s\\n' "$(cat "$data/postmaster.opts")"
log=$(readlink "/proc/$pid/fd/2")
as=
test "$me" = 0 && as="runuser -u $owner --"
test -f "$log" && $as test -w "$log" && printf 'log=%s\\n' "$log"
unit=$(sed -n 's|.*/\\([^/]*\\.service\\)$|\\1|p' "/proc/$pid/cgroup" | head -n 1)
if test -n "$unit" && test "$(systemctl show --property=MainPID --value -- "$unit")" = "$pid"; then
  printf 'unit=%s\\n' "$unit"
fi
exit 0
`;

export interface PlaceQuestion {
  readonly role: ServerRole;
  readonly host: Host;
  readonly dataDirectory: string;
  readonly port: number;
  readonly systemIdentifier: string;
  /** Whether the plan has commands of its own for it. */
  readonly byCommands: boolean;
}

/**
 * How the server of a data directory runs, and whether we may stop and start it.
 * @throws FailureError `standby-unfit`
 */
export async function placeOfRunning(question: PlaceQuestion): Promise<ServerPlace> {
  const { host, dataDirectory, role, port, systemIdentifier } = question;
  const result = await host.run({
    argv: ['sh', '-c', look, 'sh', dataDirectory],
    timeoutSeconds: 30,
  });
  const found = new Map(
    result.stdout.split('\n').flatMap((line): [string, string][] => {
      const at = line.indexOf('=');
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
  if (result.exitCode !== 0) {
    return unfit(
      `${host.name} does not have the running server of the ${role} in ${dataDirectory}, or our user may not see it`,
      `Correct standby.${role === 'primary' ? 'primary-host' : 'host'}, connect as the owner of that folder, or give \`sudo: true\`.`,
    );
  }
  const owner = found.get('owner') ?? '';
  const options = found.get('options') ?? '';
  // `/usr/lib/postgresql/15/bin/postgres "-D" "/var/lib/…"`
  const at = options.indexOf(' "');
  const written = at === -1 ? options : options.slice(0, at);
  const program = written.startsWith('/') ? written : (found.get('program') ?? '');
  if (!program.startsWith('/')) {
    return unfit(
      `the programs of the ${role}'s server on ${host.name} cannot be found`,
      'Connect as the owner of its data directory, or give `sudo: true`.',
    );
  }
  if (found.get('port') !== String(port)) {
    return unfit(
      `the server in ${dataDirectory} on ${host.name} listens on port ${found.get('port') ?? 'unknown'}, and the ${role} on ${port}`,
      `Correct standby.${role === 'primary' ? 'primary-host' : 'host'}.`,
    );
  }
  const unit = found.get('unit');
  const place: ServerPlace = {
    host: host.name,
    dataDirectory,
    programs: posix.dirname(program),
    owner,
    port,
    systemIdentifier,
    control: question.byCommands
      ? { kind: 'commands' }
      : unit === undefined
        ? {
            kind: 'pg_ctl',
            options: at === -1 ? '' : options.slice(at + 1),
            log: found.get('log') ?? posix.join(dataDirectory, 'maintenance-window.log'),
          }
        : { kind: 'unit', unit },
  };
  const me = found.get('me') ?? '';
  const isOwner = await mayActAs(host, owner, me);
  const isRoot = me === '0';
  if (!isRoot && place.control.kind === 'unit') {
    return unfit(
      `the ${role} is run by ${place.control.unit} on ${host.name}, and our user there is not root`,
      'Give `sudo: true`, or commands of your own.',
    );
  }
  if (!isRoot && !isOwner) {
    return unfit(
      `our user on ${host.name} is neither root nor ${owner}, who owns the data of the ${role}`,
      `Connect as ${owner}, or give \`sudo: true\`.`,
    );
  }
  return place;
}

async function mayActAs(host: Host, owner: string, me: string): Promise<boolean> {
  const result = await host.run({ argv: ['id', '-u', owner], timeoutSeconds: 10 });
  return result.exitCode === 0 && result.stdout.trim() === me;
}

function unfit(reason: string, next: string): never {
  return fail({
    code: 'standby-unfit',
    message: `The standby cannot be a restore point: ${reason}.`,
    state: 'Nothing was changed.',
    next,
  });
}
