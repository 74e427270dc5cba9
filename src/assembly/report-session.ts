import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  archiveRecord,
  dropKeptRestorePoints,
  dropOlderRestorePoints,
  dropRestorePoint,
} from '../phases/close-books.ts';
import type { Plan } from '../plan/plan.ts';
import { formatMoment, nextStart } from '../plan/window-time.ts';
import { fail, failureOf } from '../ports/failure.ts';
import type { Approval, JobResult } from '../ports/github.ts';
import { archivedRecords } from '../record/archived-records.ts';
import { newestCopy } from '../record/copy.ts';
import { isOver } from '../record/life.ts';
import { liveRestorePoint } from '../record/restore-point.ts';
import { owedStandby } from '../record/standby.ts';
import { takeRecord, type RecordCopy, type WindowRecord } from '../record/window-record.ts';
import { renderHtml } from '../report/html.ts';
import { renderJunit } from '../report/junit.ts';
import { renderJson } from '../report/json.ts';
import { renderMarkdown } from '../report/markdown.ts';
import { buildReport } from '../report/report-model.ts';
import { fitSummary } from '../report/summary-limit.ts';
import { githubOf } from './preflight-session.ts';
import type { Machines } from './machines.ts';
import { assembleSettings, type AssembledSettings } from './settings.ts';
import type { Surroundings } from './surroundings.ts';
import { inBase64, pictureFiles, readPictures } from './report-pictures.ts';
import { standbyOf } from './standby.ts';
import { guarded, type ActionResult } from './window-session.ts';
import { databaseOf, secretsOf, worldOf, type World } from './world.ts';

/** Name of the uploaded artifact: unique in a run, which may hold several windows or be run again. */
export function reportArtifact(windowId: string, attempt: number): string {
  return `maintenance-report-${windowId}${attempt > 1 ? `-attempt-${attempt}` : ''}`;
}

/** Writes the report from the record, or from its travelling copy, and closes the books of a finished window. */
export function reportSession(surroundings: Surroundings): Promise<ActionResult> {
  return guarded(surroundings, async (machines) => {
    const copies = (surroundings.inputs.record ?? '').split(/\s+/).filter((text) => text !== '');
    const travelling = newestCopy(copies);
    const { settings, world, record } = await openForReport(surroundings, machines, travelling);
    const { plan, invocation } = settings;
    // Another run's window that is not over is none of our business: it is told, not touched.
    const mayClose =
      record !== undefined &&
      (record.status.run.id === surroundings.run.id || isOver(record.status.state));
    if (mayClose) await closeBooks(surroundings, world, plan, record);
    const copy = record?.copy() ?? settings.known ?? travelling;
    if (copy === undefined) {
      return fail({
        code: 'no-record',
        message: `There is no record of a window "${plan.name ?? ''}" under ${plan.stateDir}, and no copy was given.`,
        state: 'No report was written.',
        next: 'Give the output `record` of an earlier job, or run the report where the record is.',
      });
    }
    const archived = mayClose ? await archiveRecord({ record, plan }) : undefined;
    const document = buildReport({
      record: copy,
      plan,
      ...(await askGitHub(surroundings)),
      now: world.clock.now(),
      nextWindow: plan.report.nextWindow ?? nextWindowOf(plan, world.clock.now()),
      recordArchived: archived,
    });
    const markdown = renderMarkdown(document);
    const pictures = await readPictures(world.host, copy.status);
    const files = {
      'report.md': markdown,
      'report.json': renderJson(document),
      'report.html': renderHtml(document, inBase64(pictures)),
      'report.junit.xml': renderJunit({
        name: copy.status.name,
        windowId: copy.status.windowId,
        runs: copy.status.smokeTests ?? [],
      }),
      ...pictureFiles(pictures),
    };
    const directory = await writeFiles(surroundings, invocation['output-directory'], files);
    const artifactId = await upload(
      surroundings,
      copy.status.windowId,
      directory,
      Object.keys(files),
    );
    return {
      outcome: { kind: 'done', detail: `the report is in ${directory}`, outputs: {} },
      outputs: {
        'window-id': copy.status.windowId,
        state: copy.status.state,
        directory,
        ...(artifactId === undefined ? {} : { 'artifact-id': artifactId }),
      },
      summary: fitSummary(markdown),
    };
  });
}

/** The record where the host has it; a report must also work where the host is gone. */
async function openForReport(
  surroundings: Surroundings,
  machines: Machines,
  travelling: RecordCopy | undefined,
): Promise<{ settings: AssembledSettings; world: World; record: WindowRecord | undefined }> {
  const inputs =
    travelling === undefined
      ? surroundings.inputs
      : {
          // A copy says itself whose it is; what the caller names wins.
          name: travelling.status.name,
          ...surroundings.inputs,
        };
  const settings = await assembleSettings(
    'report',
    { ...surroundings, inputs },
    machines,
    travelling,
  );
  const { plan } = settings;
  const world = await worldOf(plan, surroundings, machines);
  try {
    const record = await takeRecord(world.host, world.clock, {
      stateDir: plan.stateDir,
      name: plan.name ?? '',
      runId: surroundings.run.id,
    });
    const isOther =
      travelling !== undefined && record?.status.windowId !== travelling.status.windowId;
    return {
      settings: isOther ? { ...settings, known: travelling } : settings,
      world,
      record: isOther ? undefined : record,
    };
  } catch (error) {
    surroundings.progress.warning(failureOf(error).message);
    return {
      settings: travelling === undefined ? settings : { ...settings, known: travelling },
      world,
      record: undefined,
    };
  }
}

async function closeBooks(
  surroundings: Surroundings,
  world: World,
  plan: Plan,
  record: WindowRecord,
): Promise<void> {
  try {
    const earlier = await archivedRecords(world.host, world.clock, {
      stateDir: plan.stateDir,
      name: plan.name ?? '',
      runId: surroundings.run.id,
    });
    const isNeeded = [record, ...earlier].some(
      ({ status }) =>
        (liveRestorePoint(status) !== undefined && isOver(status.state)) ||
        owedStandby(status) !== undefined,
    );
    if (!isNeeded) return;
    const secrets = secretsOf(plan, surroundings);
    const context = {
      ...world,
      plan,
      record,
      database: databaseOf(plan, secrets, world),
      standby: standbyOf(plan, secrets, world),
      progress: surroundings.progress,
      workspace: surroundings.workspace,
      variable: (name: string) => surroundings.environment[name],
    };
    await dropRestorePoint(context);
    await dropKeptRestorePoints(context, earlier);
    if (record.status.restorePoint !== undefined) await dropOlderRestorePoints(context, earlier);
  } catch (error) {
    // The report is more important than the clean-up; it shows what was left.
    surroundings.progress.warning(`The restore point is still there: ${failureOf(error).message}`);
  }
}

async function askGitHub(surroundings: Surroundings): Promise<{
  approvals: readonly Approval[] | undefined;
  approvalsNote?: string;
  jobs?: readonly JobResult[];
}> {
  try {
    const github = await githubOf(surroundings);
    if (github === undefined) return { approvals: undefined, approvalsNote: 'not run by GitHub' };
    return { approvals: await github.approvals(), jobs: await github.jobs() };
  } catch (error) {
    return { approvals: undefined, approvalsNote: failureOf(error).message };
  }
}

async function writeFiles(
  surroundings: Surroundings,
  wanted: unknown,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string> {
  const directory =
    typeof wanted === 'string' && wanted !== ''
      ? resolve(surroundings.workspace, wanted)
      : await mkdtemp(
          join(surroundings.environment.RUNNER_TEMP ?? tmpdir(), 'maintenance-report-'),
        );
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

async function upload(
  surroundings: Surroundings,
  windowId: string,
  directory: string,
  names: readonly string[],
): Promise<string | undefined> {
  if (surroundings.github === undefined) return undefined;
  const { githubArtifacts } = await import('../github/artifact-store.ts');
  try {
    return await githubArtifacts(surroundings.environment).upload(
      reportArtifact(windowId, surroundings.run.attempt),
      directory,
      names.map((name) => join(directory, name)),
    );
  } catch (error) {
    surroundings.progress.warning(`The report could not be uploaded: ${failureOf(error).message}`);
    return undefined;
  }
}

function nextWindowOf(plan: Plan, now: Date): string | undefined {
  const next = nextStart(plan.window, now);
  return next === undefined ? undefined : formatMoment(next, plan.window.timeZone);
}
