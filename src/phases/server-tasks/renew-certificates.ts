import type { ServerTaskOf } from '../../plan/settings/update-server.ts';
import { fail } from '../../ports/failure.ts';
import type { CommandResult } from '../../ports/host.ts';
import type { Certificate, CertificatePlace } from '../../ports/server.ts';
import type { PhaseContext } from '../phase.ts';
import { daysText, dueWithin } from './certificate-dates.ts';
import {
  nothingToDo,
  type LookContext,
  type Preview,
  type ServerTaskResult,
  type TaskPlace,
} from './server-task.ts';

type RenewCertificates = ServerTaskOf<'renew-certificates'>;

interface Looked {
  readonly place: CertificatePlace;
  readonly name: string;
  readonly certificate: Certificate;
}

/** Seconds that a service may take to serve the new certificate after its reload. */
const reloadSeconds = 30;
const lookSeconds = 1;

export async function previewCertificates(
  context: LookContext,
  place: TaskPlace,
  task: RenewCertificates,
): Promise<Preview> {
  await refuseWithoutProgram(place, task);
  const now = context.clock.now();
  const found = await look(place, task);
  const due = found.filter(({ certificate }) => dueWithin(certificate, task.dueWithin, now));
  return {
    summary: due.length === 0 ? 'none is due' : `${due.length} of ${found.length} due`,
    lines: found.map(({ name, certificate }) => `${name}: ${daysText(certificate, now)}`),
  };
}

/** Why nothing is renewed; `undefined` when something is due. */
export async function needlessRenewal(
  context: PhaseContext,
  place: TaskPlace,
  task: RenewCertificates,
): Promise<ServerTaskResult | undefined> {
  const now = context.clock.now();
  const found = await look(place, task);
  if (found.some(({ certificate }) => dueWithin(certificate, task.dueWithin, now))) {
    return undefined;
  }
  return {
    ...nothingToDo(
      `no certificate is due: ${found.map(({ name, certificate }) => `${name}, ${daysText(certificate, now)}`).join('; ')}`,
    ),
    items: found.map(({ name, certificate }) => ({
      name,
      before: dateOf(certificate),
      after: dateOf(certificate),
    })),
  };
}

/** Renews, has services take the new certificates, and proves the new dates where they lie and where they are served. */
export async function renewCertificates(
  context: PhaseContext,
  place: TaskPlace,
  task: RenewCertificates,
): Promise<ServerTaskResult> {
  const { clock, progress } = context;
  const { server, host } = place;
  const now = clock.now();
  const onLine = (line: string): void => {
    progress.info(line);
  };
  const before = await look(place, task);
  const due = before.filter(({ certificate }) => dueWithin(certificate, task.dueWithin, now));
  const argv = task.command ?? [
    'certbot',
    'renew',
    '--non-interactive',
    '--no-random-sleep-on-renew',
  ];
  const renewal = await server.run({ argv, timeoutSeconds: task.timeout, onLine });
  demand(renewal, host.name, argv, 'The certificates are as they were, unless it says otherwise.');
  if (task.reload !== undefined) {
    const reload = await server.run({ argv: task.reload, timeoutSeconds: task.timeout, onLine });
    demand(
      reload,
      host.name,
      task.reload,
      'The certificates are renewed, but services may still serve the old ones.',
    );
  }
  const deadline = clock.monotonicSeconds() + reloadSeconds;
  let after = await look(place, task);
  const late = (): readonly Looked[] => due.filter((old) => !isNewer(old, after));
  while (late().length > 0 && clock.monotonicSeconds() < deadline && servedLate(late())) {
    await clock.wait(lookSeconds);
    after = await look(place, task);
  }
  const old = late();
  if (old.length > 0) {
    fail({
      code: 'certificate-not-renewed',
      message: `After the renewal these have no later end on ${host.name}: ${old.map(({ name, certificate }) => `${name} (${dateOf(certificate)})`).join(', ')}.`,
      state: 'The old certificates are in place; they are valid until the dates named.',
      next: servedLate(old)
        ? 'Give the command that makes the service take the new certificate with `reload`.'
        : 'Look at what the renewal said above. certbot renews in the last third of a certificate’s life only: `due-within` may be too long.',
    });
  }
  return {
    outcome: 'done',
    summary: `${due.length} of ${before.length} certificates renewed`,
    proof: after.map(({ name, certificate }) => `${name} ends ${dateOf(certificate)}`).join('; '),
    figures: { certificates: due.length },
    items: before.map(({ name, certificate }) => ({
      name,
      before: dateOf(certificate),
      after: dateOf(after.find((renewed) => renewed.name === name)?.certificate ?? certificate),
    })),
  };
}

async function refuseWithoutProgram(
  { server, host }: TaskPlace,
  task: RenewCertificates,
): Promise<void> {
  if (task.by !== 'certbot') return;
  const result = await server.run({ argv: ['certbot', '--version'], timeoutSeconds: 60 });
  if (result.exitCode === 0) return;
  fail({
    code: 'certbot-missing',
    message: `certbot does not run on ${host.name} (exit code ${result.exitCode ?? 'by a signal'}).`,
    state: 'Nothing was touched.',
    next: 'Install certbot there, or renew with `by: command`.',
  });
}

function demand(result: CommandResult, host: string, argv: readonly string[], state: string): void {
  if (result.exitCode === 0) return;
  const how = result.timedOut
    ? 'did not end in time'
    : `ended with ${result.exitCode === null ? 'a signal' : `exit code ${result.exitCode}`}`;
  fail({
    code: 'certificate-renewal-failed',
    message: `\`${argv[0] ?? ''}\` on ${host} ${how}.`,
    state,
    next: 'Read its output above, mend the cause, and run the step again.',
  });
}

async function look({ server }: TaskPlace, task: RenewCertificates): Promise<readonly Looked[]> {
  const found: Looked[] = [];
  for (const place of task.certificates) {
    const name = 'file' in place ? place.file : `${place.name} at ${place.address}`;
    found.push({ place, name, certificate: await server.certificate(place) });
  }
  return found;
}

function isNewer(old: Looked, after: readonly Looked[]): boolean {
  const found = after.find(({ name }) => name === old.name)?.certificate;
  return found !== undefined && found.notAfter > old.certificate.notAfter;
}

/** Only what is served can come late. */
function servedLate(late: readonly Looked[]): boolean {
  return late.length > 0 && late.every(({ place }) => 'address' in place);
}

function dateOf({ notAfter }: Certificate): string {
  return notAfter.toISOString();
}
