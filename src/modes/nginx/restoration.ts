import { fail } from '../../ports/failure.ts';
import type { FileStatus } from '../../ports/host.ts';
import type { Restoration } from '../../ports/maintenance-mode.ts';
import { removeTemporaries } from '../temporaries.ts';
import { failClosedByAnother, flagState } from './flag.ts';
import { sha256Of, type HookContext } from './hook-context.ts';
import { answersInARow, awaitHook, describeAnswer } from './hook-proof.ts';
import { originalOf, removeOurFiles } from './original-store.ts';
import type { NginxPrior, PriorFile } from './prior.ts';
import { removeHooks } from './site-file.ts';

interface Change {
  readonly file: PriorFile;
  readonly status: FileStatus;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  /** The result is byte for byte what was there before any hook of ours. */
  readonly exact: boolean;
}

/**
 * Takes the hook out: gives the site files back byte for byte, or takes only our line out of those that
 * somebody edited meanwhile; reloads, proves from outside that the hook is gone, and removes our files.
 * @throws FailureError `closed-by-another`, `nginx-still-closed`, `nginx-refused-original`,
 *   `nginx-reload-failed`, `nginx-hook-still-live`, `host-…`, `cancelled`
 */
export async function restoreHook(context: HookContext, prior: NginxPrior): Promise<Restoration> {
  const { host, nginx, http, settings } = context;
  await refuseClosed(context);
  const changes: Change[] = [];
  const notes: string[] = [];
  for (const file of prior.files) {
    const change = await changeOf(context, file);
    if (change === undefined) continue;
    if (change === 'gone') notes.push(`${file.path} is no longer there`);
    else if (change === 'differs')
      notes.push(`${file.path} has no line of ours, but somebody edited it: it was left as it is`);
    else changes.push(change);
  }
  const edited = changes.filter(({ exact }) => !exact).map(({ file }) => file.path);
  if (edited.length > 0) {
    notes.push(`${edited.join(', ')} was edited meanwhile: only our include line was taken out`);
  }
  for (const { realPath } of prior.files) await removeTemporaries(host, realPath);
  if (changes.length === 0) {
    if (await answersInARow(http, settings, prior.hookId, 'gone')) {
      await removeOurFiles(context);
      return notes.length === 0
        ? { kind: 'nothing-to-do' }
        : { kind: 'partly-restored', detail: notes.join('; ') };
    }
  }

  for (const { file, status, to } of changes) await write(context, file, status, to);
  const verdict = await nginx.test();
  if (!verdict.passed) {
    for (const { file, status, from } of changes) await write(context, file, status, from);
    fail({
      code: 'nginx-refused-original',
      message: `nginx refuses its configuration without the hook: ${verdict.message}`,
      state: `The site is open and the hook is still in; the site files are as this step found them.`,
      next: 'Repair what `nginx -t` names, then run the step again.',
    });
  }
  await reloadAndProve(context, prior);
  await removeOurFiles(context);

  const exact = changes.filter(({ exact: same }) => same).map(({ file }) => file.path);
  const earlier = prior.files.filter(({ hookedBefore }) => hookedBefore).map(({ path }) => path);
  const detail = [
    exact.length > 0 ? `${exact.join(', ')} is byte for byte as before the hook` : '',
    ...notes,
    earlier.length > 0 ? `the line of an earlier window in ${earlier.join(', ')} went as well` : '',
    'nginx was reloaded and no longer answers from the hook',
  ]
    .filter((part) => part !== '')
    .join('; ');
  return { kind: notes.length === 0 ? 'restored' : 'partly-restored', detail };
}

async function refuseClosed(context: HookContext): Promise<void> {
  const state = await flagState(context);
  if (state.kind === 'closed-by-another') failClosedByAnother(context, state.holder);
  if (state.kind === 'open') return;
  fail({
    code: 'nginx-still-closed',
    message:
      'The hook cannot be taken out while this window has the site closed: that would open it.',
    state: 'The site is closed; nothing was touched.',
    next: 'Open the site first (`disable-maintenance` does both), then run the step again.',
  });
}

async function changeOf(
  context: HookContext,
  file: PriorFile,
): Promise<Change | 'gone' | 'differs' | undefined> {
  const { host, paths } = context;
  const from = await host.readFile(file.realPath);
  const status = await host.status(file.realPath);
  if (from === undefined || status === undefined) return 'gone';
  if (sha256Of(from) === file.sha256Before) return undefined;
  if (sha256Of(from) === file.sha256After || sha256Of(from) === file.sha256Found) {
    const to = await originalOf(context, from, file.sha256Before);
    return { file, status: { ...status, ...ownership(file) }, from, to, exact: true };
  }
  const without = removeHooks(from, paths.snippet, file.path);
  if (without.removed === 0) return 'differs';
  const exact = sha256Of(without.bytes) === file.sha256Before;
  return { file, status, from, to: without.bytes, exact };
}

function ownership({ mode, uid, gid }: PriorFile): Pick<FileStatus, 'mode' | 'uid' | 'gid'> {
  return { mode, uid, gid };
}

async function write(
  context: HookContext,
  file: PriorFile,
  { mode, uid, gid }: FileStatus,
  bytes: Uint8Array,
): Promise<void> {
  await context.host.writeFile(file.realPath, bytes, { mode, owner: { uid, gid } });
}

async function reloadAndProve(context: HookContext, prior: NginxPrior): Promise<void> {
  const { nginx, settings } = context;
  const state =
    'The site is open and the site files no longer have our line, but nginx may still run with the hook (which does nothing without its flag).';
  const reloaded = await nginx.reload();
  if (!reloaded.passed) {
    fail({
      code: 'nginx-reload-failed',
      message: `nginx could not be told to reload: ${reloaded.message}`,
      state,
      next: 'See that nginx runs and that `nginx-command` and `reload-command` fit it, then run the step again.',
    });
  }
  const proof = await awaitHook(context, settings, prior.hookId, 'gone');
  if (proof.kind === 'proved') return;
  fail({
    code: 'nginx-hook-still-live',
    message: `After the reload it could not be proved that ${settings.publicUrl} answers without the hook: ${describeAnswer(proof.last)}.`,
    state,
    next: "Look into nginx's error log, reload nginx, then run the step again.",
  });
}
