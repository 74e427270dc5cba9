import { stringify } from 'yaml';
import type * as z from 'zod';
import { formatDuration } from '../plan/duration.ts';
import type { Plan } from '../plan/plan.ts';
import type { PredictedStep } from '../plan/prediction.ts';
import type { WindowPosition } from '../plan/window-time.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import { markdown, markdownBlock, markdownCode } from './escape.ts';
import { mermaidGantt, type GanttBar } from './gantt.ts';
import { markdownDetails, markdownTable } from './markdown-table.ts';
import { mark, prose } from './markdown-words.ts';
import { clockOf, minuteOf } from './moment.ts';
import { serverPreviewSection, type ServerPreviewFact } from './server-preview.ts';
import { checkMarks } from './wording.ts';

type Json = z.core.util.JSONType;

/** What an approver reads before saying yes. */
export interface PreflightSummaryInput {
  readonly plan: Plan;
  /** The plan in the form of the plan file; secrets in it are masked here once more. */
  readonly settings: Readonly<Record<string, Json>>;
  readonly checks: readonly Check[];
  /** Predicted steps in their order; seconds. */
  readonly prediction: readonly PredictedStep[];
  /** What the server tasks would do. */
  readonly serverTasks?: readonly ServerPreviewFact[];
  readonly position: WindowPosition;
  /** Environment variables that hold the plan's secrets. */
  readonly secretVariables: readonly string[];
  /** The secrets' values, so that none of them is printed by mistake; never printed. */
  readonly secretValues?: readonly string[] | undefined;
  readonly dryRun: boolean;
  /** Goes on although it is outside its planned time. */
  readonly ignoreWindow?: boolean | undefined;
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  readonly now: Date;
}

/** Plan, checks, predicted timeline and reviewers as Markdown for the job summary. */
export function renderPreflight(input: PreflightSummaryInput): string {
  const sections = [
    head(input),
    checks(input),
    serverPreviewSection(input.serverTasks ?? []),
    prediction(input),
    gates(input),
    settingsOf(input),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function head(input: PreflightSummaryInput): string {
  const failed = input.checks.filter(({ verdict }) => verdict === 'failed').length;
  const warnings = input.checks.filter(({ verdict }) => verdict === 'warning').length;
  const closed = total(input.prediction.filter((step) => step.closed));
  const verdict =
    failed > 0
      ? `✗ Refused: ${failed} ${failed === 1 ? 'check' : 'checks'} failed. Nothing was touched.`
      : `✓ Ready: no check failed${warnings > 0 ? `, ${warnings} ${warnings === 1 ? 'warns' : 'warn'}` : ''}.`;
  const rows: [string, string][] = [
    ['Site', markdown(input.plan.publicUrl ?? 'the plan names none')],
    ...(input.dryRun
      ? [['Dry run', 'nothing is touched, and no record is left'] as [string, string]]
      : []),
    ['Started by', markdown(input.actor ?? 'not recorded')],
    ['Reason', markdown(input.reason ?? 'none given', 1000)],
    ['Time', markdown(positionText(input))],
    [
      'Predicted downtime',
      `**${formatDuration(closed)}** of ${formatDuration(total(input.prediction))} of work`,
    ],
  ];
  return `# Preflight: ${markdown(input.plan.name ?? 'maintenance window')}\n\n**${verdict}**\n\n${markdownTable(['', ''], rows)}`;
}

function positionText({ position, ignoreWindow, plan }: PreflightSummaryInput): string {
  const { timeZone } = plan.window;
  const at = (moment: Date): string => minuteOf(moment.toISOString(), timeZone);
  const ignored = ignoreWindow === true ? '; it goes on all the same, as asked' : '';
  switch (position.kind) {
    case 'any-time':
      return `any time; ends at ${at(position.end)}`;
    case 'inside':
      return `within the window of ${at(position.start)}, ${formatDuration(position.lateSeconds)} after its start; ends at ${at(position.end)}`;
    case 'outside': {
      const next =
        position.next === undefined ? 'no other is planned' : `the next is at ${at(position.next)}`;
      return `outside the planned time; ${next}${ignored}`;
    }
  }
}

function checks({ checks: found }: PreflightSummaryInput): string {
  const rows = found.map((check) => [
    mark(checkMarks[check.verdict]),
    markdown(check.title),
    markdown(check.value),
    markdown(check.limit),
    check.next === undefined ? '' : prose(check.next),
  ]);
  return `## Checks\n\n${rows.length === 0 ? 'None.' : markdownTable(['', 'Check', 'Observed', 'Accepted', 'Next'], rows)}`;
}

function prediction({ prediction: steps, position, now, plan }: PreflightSummaryInput): string {
  const { timeZone } = plan.window;
  if (steps.length === 0) return '## Predicted timeline\n\nNothing is predicted.';
  const begin = position.kind === 'inside' && position.start > now ? position.start : now;
  let at = begin.getTime();
  const bars: GanttBar[] = [];
  const rows: string[][] = [];
  for (const step of steps) {
    const end = at + Math.round(Math.max(0, step.seconds) * 1000);
    bars.push({
      section: step.closed ? 'Public kept out' : 'Public served',
      label: step.step,
      start: at,
      end,
      look: step.closed ? 'crit' : 'active',
    });
    rows.push([
      clockOf(new Date(at).toISOString(), timeZone),
      markdown(step.step),
      formatDuration(step.seconds),
      step.closed ? '✗ kept out' : '✓ served',
      prose(step.basis),
    ]);
    at = end;
  }
  const chart = mermaidGantt(bars, timeZone);
  return [
    '## Predicted timeline',
    `If it began now, in ${markdown(timeZone)}; waiting for approval comes in addition.`,
    chart === undefined ? '' : markdownBlock(chart, 'mermaid'),
    markdownTable(['At', 'Step', 'Takes', 'Public', 'Basis'], rows),
    reserve(at, position, timeZone),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function reserve(end: number, position: WindowPosition, timeZone: string): string {
  if (position.kind === 'outside') return '';
  const left = (position.end.getTime() - end) / 1000;
  const limit = minuteOf(position.end.toISOString(), timeZone);
  return left >= 0
    ? `That leaves ${formatDuration(left)} before the window ends at ${limit}.`
    : `**That is ${formatDuration(-left)} more than the window has: it ends at ${limit}.**`;
}

function gates({ checks: found }: PreflightSummaryInput): string {
  const rows = found
    .filter(({ id }) => id.startsWith('gate'))
    .map((check) => [
      mark(checkMarks[check.verdict]),
      markdown(check.title),
      markdown(check.value, 1000),
    ]);
  return rows.length === 0
    ? '## Reviewers\n\nThis run asks nobody for approval.'
    : `## Reviewers\n\nOne approval opens a gate, however many reviewers it lists.\n\n${markdownTable(['', 'Gate', 'Who reviews'], rows)}`;
}

function settingsOf({ settings, secretVariables, secretValues }: PreflightSummaryInput): string {
  const masked = maskSettings(settings, secretValues ?? []);
  const yaml = stringify(masked, { lineWidth: 0, aliasDuplicateObjects: false });
  const named =
    secretVariables.length === 0
      ? 'The plan names no secret.'
      : `Its secrets are in the environment variables ${secretVariables.map((name) => markdownCode(name)).join(', ')}; only the names are shown.`;
  return `## Plan\n\n${named}\n\n${markdownDetails('The resolved plan', markdownBlock(yaml, 'yaml'))}`;
}

/** Names of headers whose values are secrets by their nature. */
const secretHeader = /authorization|cookie|token|secret|password|api-?key/i;

/**
 * The settings without secrets: known values are masked wherever they occur, and so are the values of request
 * headers that carry credentials. References such as `$DATABASE_URL` stay, they are names.
 */
export function maskSettings(
  settings: Readonly<Record<string, Json>>,
  secretValues: readonly string[],
): Readonly<Record<string, Json>> {
  const values = secretValues.filter((value) => value !== '');
  const maskText = (text: string): string =>
    values.reduce((masked, value) => masked.replaceAll(value, '***'), text);
  const visit = (value: Json, inHeaders: boolean): Json => {
    if (typeof value === 'string') return maskText(value);
    if (Array.isArray(value)) return value.map((entry) => visit(entry, false));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [
        key,
        inHeaders && secretHeader.test(key) && typeof entry === 'string' && !entry.startsWith('$')
          ? '***'
          : visit(entry, key === 'headers'),
      ]),
    );
  };
  return visit(settings, false) as Readonly<Record<string, Json>>;
}

function total(steps: readonly { readonly seconds: number }[]): number {
  return steps.reduce((sum, { seconds }) => sum + seconds, 0);
}
