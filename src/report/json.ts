import type { Report } from './report-model.ts';

/** The report for programs: JSON, indented, with a newline at its end. */
export function renderJson(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
