import { randomBytes } from 'node:crypto';
import { fail, failureOf, FailureError, type Failure } from '../../ports/failure.ts';
import { answerFiltersIn } from './answer-filters.ts';
import { failClosedByAnother, flagState } from './flag.ts';
import { preparePage, sha256Of, type HookContext } from './hook-context.ts';
import { answersInARow, awaitHook, describeAnswer } from './hook-proof.ts';
import { failAlreadyBroken } from './nginx-command.ts';
import { keepOriginal, originalOf, removeOurFiles } from './original-store.ts';
import type { NginxPrior, PriorFile } from './prior.ts';
import { hookInsertions, insertInto, removeHooks } from './site-file.ts';
import { readSites } from './sites.ts';
import { renderSnippet } from './snippet.ts';
import { loadConfig, needsOpenFileCacheOff, refuseStrayHooks } from './survey.ts';

/** Computes what {@link installHook} will change; touches nothing. */
export async function planHook(context: HookContext): Promise<NginxPrior> {
  const { host, settings, paths } = context;
  const sites = await readSites(host, settings);
  const config = await loadConfig(context);
  refuseStrayHooks(context, config, sites);
  const openFileCacheOff = needsOpenFileCacheOff(config, sites);
  await preparePage(context);
  const snippet = await host.readFile(paths.snippet);
  const files = sites
    .filter(({ chosen, hooks }) => chosen.length > 0 || hooks > 0)
    .map((site): PriorFile => {
      const { path, realPath, status, found, before, chosen } = site;
      const offsets = chosen.map(({ bodyStart }) => bodyStart);
      const insertions = hookInsertions(before, offsets, paths.snippet);
      return {
        path,
        realPath,
        mode: status.mode,
        uid: status.uid,
        gid: status.gid,
        sha256Found: sha256Of(found),
        sha256Before: sha256Of(before),
        sha256After: sha256Of(insertInto(before, insertions)),
        insertions: [...insertions],
        originalPath: `${paths.originals}/${sha256Of(before)}`,
        hookedBefore: site.hooks > 0,
      };
    });
  return {
    version: 1,
    kind: 'nginx',
    folder: settings.folder,
    hookId: randomBytes(16).toString('hex'),
    openFileCacheOff,
    quieted: [...answerFiltersIn(config.effective.directives)],
    snippetBefore: snippet === undefined ? null : sha256Of(snippet),
    files,
  };
}

/** Whether files and snippet are as this window writes them, and the hook answers from outside. */
export async function isHookInstalled(context: HookContext, prior: NginxPrior): Promise<boolean> {
  const snippet = await context.host.readFile(context.paths.snippet);
  if (snippet === undefined) return false;
  if (sha256Of(snippet) !== sha256Of(await snippetOf(context, prior))) return false;
  for (const file of prior.files) {
    const bytes = await context.host.readFile(file.realPath);
    if (bytes === undefined || sha256Of(bytes) !== file.sha256After) return false;
  }
  return answersInARow(context.http, context.settings, prior.hookId, 'live');
}

async function snippetOf(context: HookContext, prior: NginxPrior): Promise<string> {
  const { hookId: id, openFileCacheOff, quieted } = prior;
  const hook = { id, openFileCacheOff, quieted };
  return renderSnippet(context.settings, hook, await preparePage(context));
}

/**
 * Puts the hook in without closing, and proves from outside that it is live. What fails is undone.
 * @throws FailureError `closed-by-another`, `nginx-site-changed`, `nginx-already-broken`, `nginx-refused-hook`,
 *   `nginx-reload-failed`, `nginx-hook-not-live`, `nginx-undo-failed`, `host-…`, `cancelled`
 */
export async function installHook(context: HookContext, prior: NginxPrior): Promise<void> {
  const { host, nginx, paths } = context;
  const state = await flagState(context);
  if (state.kind === 'closed-by-another') failClosedByAnother(context, state.holder);
  const snippet = await snippetOf(context, prior);
  const current = await readCurrent(context, prior);
  // The snippet is the first thing that is written, so it tells whether an earlier run began.
  const present = await host.readFile(paths.snippet);
  const resumed = present !== undefined && sha256Of(present) === sha256Of(snippet);
  if (resumed && (await isHookInstalled(context, prior))) return;
  const verdict = await nginx.test();
  if (!verdict.passed && !resumed) failAlreadyBroken(verdict);

  await host.makeDirectory(context.settings.folder, 0o755);
  await host.makeDirectory(paths.originals, 0o700);
  await keepSnippetBefore(context, prior);
  let mayBeLoaded = resumed;
  try {
    await host.writeFile(paths.probe, `${prior.hookId}\n`, { mode: 0o644 });
    for (const { file, found, before } of current) {
      await keepOriginal(context, before, file.sha256Before);
      await keepOriginal(context, found, file.sha256Found);
    }
    await host.writeFile(paths.snippet, snippet, { mode: 0o600 });
    for (const { file, bytes, before } of current) {
      const after = insertInto(before, file.insertions);
      if (sha256Of(bytes) !== file.sha256After) await writeSite(context, file, after);
    }
    const accepted = await nginx.test();
    if (!accepted.passed) {
      throw problem(
        'nginx-refused-hook',
        `nginx refuses the configuration with the hook in it: ${accepted.message}`,
        'Repair what nginx names, or choose other `server` blocks, then run the step again.',
      );
    }
    mayBeLoaded = true;
    await reloadAndProve(context, prior);
  } catch (error) {
    // After a cancellation nothing may be started any more; `restore` takes the rest back.
    if (failureOf(error).code === 'cancelled') throw error;
    if (state.kind === 'closed') failBehindClosedDoor(failureOf(error), error);
    await undo(context, prior, current, mayBeLoaded, failureOf(error));
    throw error;
  }
}

/** Undoing would take the hook out and so open a site that is closed: that is never a side effect. */
function failBehindClosedDoor(failure: Failure, cause: unknown): never {
  return fail(
    {
      ...failure,
      state:
        'The site is closed by this window; the hook was left as it is, for taking it out would open the site.',
    },
    cause,
  );
}

async function reloadAndProve(context: HookContext, prior: NginxPrior): Promise<void> {
  const { nginx, settings } = context;
  const reloaded = await nginx.reload();
  if (!reloaded.passed) {
    throw problem(
      'nginx-reload-failed',
      `nginx could not be told to reload: ${reloaded.message}`,
      'See that nginx runs and that `nginx-command` and `reload-command` fit it, then run the step again.',
    );
  }
  const proof = await awaitHook(context, settings, prior.hookId, 'live');
  if (proof.kind === 'proved') return;
  throw problem(
    'nginx-hook-not-live',
    `After the reload ${settings.publicUrl} does not answer from the hook: ${describeAnswer(proof.last)}.`,
    proof.last.kind === 'blind'
      ? `Let the user of nginx's workers pass through every folder above ${settings.folder} (chmod o+x), or use another \`state-dir\`; then run the step again.`
      : "Look into nginx's error log, and see that `public-url` leads to one of the chosen `server` blocks of this nginx; then run the step again.",
  );
}

function problem(code: string, message: string, next: string): FailureError {
  const state = 'Everything was undone: the site files are as they were, and the site is open.';
  return new FailureError({ code, message, state, next });
}

interface CurrentFile {
  readonly file: PriorFile;
  readonly bytes: Uint8Array;
  readonly found: Uint8Array;
  readonly before: Uint8Array;
}

async function readCurrent(
  context: HookContext,
  prior: NginxPrior,
): Promise<readonly CurrentFile[]> {
  const current: CurrentFile[] = [];
  for (const file of prior.files) {
    const bytes = await context.host.readFile(file.realPath);
    const sha256 = bytes === undefined ? 'nothing' : sha256Of(bytes);
    if (bytes === undefined || (sha256 !== file.sha256Found && sha256 !== file.sha256After)) {
      return fail({
        code: 'nginx-site-changed',
        message: `${file.path} was changed by somebody else since this window planned its change.`,
        state: 'It was not touched by this step.',
        next: 'End that work first, then roll this window back and begin it again.',
      });
    }
    const before = await originalOf(context, bytes, file.sha256Before);
    const found =
      sha256 === file.sha256Found ? bytes : await originalOf(context, bytes, file.sha256Found);
    current.push({ file, bytes, found, before });
  }
  return current;
}

async function keepSnippetBefore(context: HookContext, prior: NginxPrior): Promise<void> {
  if (prior.snippetBefore === null) return;
  const now = await context.host.readFile(context.paths.snippet);
  if (now !== undefined && sha256Of(now) === prior.snippetBefore) {
    await keepOriginal(context, now, prior.snippetBefore);
  }
}

async function writeSite(context: HookContext, file: PriorFile, bytes: Uint8Array): Promise<void> {
  const { mode, uid, gid } = file;
  await context.host.writeFile(file.realPath, bytes, { mode, owner: { uid, gid } });
}

/** What was found, unless somebody edited the file in the meantime: then only our line goes. */
async function giveBack(context: HookContext, { file, found }: CurrentFile): Promise<void> {
  const now = await context.host.readFile(file.realPath);
  if (now === undefined || sha256Of(now) === file.sha256Found) return;
  if (sha256Of(now) === file.sha256After) return writeSite(context, file, found);
  const without = removeHooks(now, context.paths.snippet, file.path);
  if (without.removed > 0) await writeSite(context, file, without.bytes);
}

/** Gives back what was there. A failure of its own is told together with what it follows. */
async function undo(
  context: HookContext,
  prior: NginxPrior,
  current: readonly CurrentFile[],
  mayBeLoaded: boolean,
  cause: Failure,
): Promise<void> {
  const { host, nginx, paths, settings } = context;
  try {
    for (const entry of current) await giveBack(context, entry);
    if (prior.snippetBefore !== null) {
      const snippet = await host.readFile(`${paths.originals}/${prior.snippetBefore}`);
      if (snippet !== undefined) await host.writeFile(paths.snippet, snippet, { mode: 0o600 });
    }
    const verdict = await nginx.test();
    if (!verdict.passed) throw new Error(`nginx refuses what was there before: ${verdict.message}`);
    if (mayBeLoaded) {
      const reloaded = await nginx.reload();
      if (!reloaded.passed && cause.code !== 'nginx-reload-failed') {
        throw new Error(`nginx could not be told to reload: ${reloaded.message}`);
      }
      const proof = await awaitHook(context, settings, prior.hookId, 'gone');
      if (proof.kind === 'not-proved' && ['live', 'blind'].includes(proof.last.kind)) {
        throw new Error(`after the reload ${describeAnswer(proof.last)} still`);
      }
    }
    if (prior.snippetBefore === null) await removeOurFiles(context);
  } catch (error) {
    fail(
      {
        code: 'nginx-undo-failed',
        message: `${cause.message} Undoing it failed as well: ${failureOf(error).message}`,
        state: `The site is open; ${prior.files.map(({ path }) => path).join(', ')} may still hold our include line, and the original bytes are in ${paths.originals}.`,
        next: 'Run `nginx -t`, repair what it names, then run `rollback`, which takes the hook out.',
      },
      error,
    );
  }
}
