import { hasFailed, type SmokeResult, type WindowStatus } from '../record/status.ts';

type SmokeRun = NonNullable<WindowStatus['smokeTests']>[number];

/** Runs of smoke tests, as other tools read results of tests. */
export interface JunitInput {
  readonly name: string;
  readonly windowId: string;
  readonly runs: readonly SmokeRun[];
}

/**
 * JUnit's XML, in the shape that its readers share: `testsuites` of `testsuite` of `testcase`, with `failure` or
 * `skipped`. A suite is one run of the smoke tests, a case is one check.
 */
export function renderJunit({ name, windowId, runs }: JunitInput): string {
  const all = runs.flatMap(({ results }) => results);
  const suites = runs.map((run) => suite(run, windowId)).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="${xml(`${name} ${windowId}`)}"${counts(all)}>
${suites}</testsuites>
`;
}

function suite(run: SmokeRun, windowId: string): string {
  const cases = run.results.map((result) => testcase(run, result)).join('');
  // The schema of Jenkins' reader knows no offset; the moment is UTC.
  const timestamp = run.at.replace(/(?:\.\d+)?Z$/, '');
  return `  <testsuite name="${xml(run.phase)}"${counts(run.results)} timestamp="${xml(timestamp)}" hostname="${xml(windowId)}">
${cases}  </testsuite>
`;
}

function testcase(run: SmokeRun, result: SmokeResult): string {
  const head = `    <testcase name="${xml(result.id)}" classname="${xml(`${run.phase}.${result.kind}`)}" time="${seconds(result.seconds)}"`;
  if (result.skipped === true) {
    return `${head}>
      <skipped message="${xml(result.observed)}"/>
    </testcase>
`;
  }
  if (hasFailed(result)) {
    const tries = `${result.attempts} ${result.attempts === 1 ? 'try' : 'tries'}`;
    return `${head}>
      <failure message="${xml(result.observed)}" type="${xml(result.kind)}">${xml(`observed: ${result.observed}\nexpected: ${result.expected}\nafter ${tries}`)}</failure>
    </testcase>
`;
  }
  return `${head}>
      <system-out>${xml(`observed: ${result.observed}\nexpected: ${result.expected}`)}</system-out>
    </testcase>
`;
}

function counts(results: readonly SmokeResult[]): string {
  const failures = results.filter(hasFailed).length;
  const skipped = results.filter((result) => result.skipped === true).length;
  const time = results.reduce((sum, result) => sum + result.seconds, 0);
  return ` tests="${results.length}" failures="${failures}" errors="0" skipped="${skipped}" time="${seconds(time)}"`;
}

function seconds(value: number): string {
  return Number.isFinite(value) ? Math.max(0, value).toFixed(3) : '0.000';
}

/** Text within an element or a quoted attribute. What XML 1.0 (section 2.2, Char) cannot hold is replaced. */
export function xml(value: string): string {
  return value
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
    .replaceAll('\n', '&#10;')
    .replaceAll('\r', '&#13;')
    .replaceAll('\t', '&#9;');
}
