import { formatDuration } from '../plan/duration.ts';
import { badge, code, prose, table, text } from './html-parts.ts';
import { h, joined, nothing, type Markup } from './html-template.ts';
import { secondOf } from './moment.ts';
import type { Report, SmokeRunFact } from './report-model.ts';
import { smokeCounts, smokeMark } from './wording.ts';

/** Pictures of pages (PNG) in base64, by the file that the record names. */
export type Pictures = ReadonlyMap<string, string>;

/** Every run of the smoke tests, with the pictures that were taken. */
export function smokeTests(
  { smokeTests: runs, head: { timeZone } }: Report,
  pictures: Pictures,
): Markup {
  if (runs.length === 0) return h`<p>None in this record.</p>`;
  return joined(
    runs.map((run) => {
      const title = `${run.phase}, ${secondOf(run.at, timeZone)}: ${smokeCounts(run.results)}`;
      const results = table(
        title,
        [
          { title: 'Check', kind: 'short' },
          { title: 'Verdict', kind: 'short' },
          { title: 'Observed' },
          { title: 'Expected' },
          { title: 'Took', kind: 'number' },
          { title: 'Tries', kind: 'number' },
        ],
        run.results.map((result) => [
          h`${code(result.id)}<br><span class="soft">${result.kind}</span>`,
          badge(smokeMark(result)),
          prose(result.observed),
          prose(result.expected),
          text(formatDuration(result.seconds)),
          h`${result.attempts}`,
        ]),
      );
      return joined([results, ...run.results.map((result) => picture(result, pictures))]);
    }),
    h`<br>`,
  );
}

function picture({ id, screenshot }: SmokeRunFact['results'][number], pictures: Pictures): Markup {
  if (screenshot === undefined) return nothing;
  const base64 = pictures.get(screenshot.file);
  // Of nothing but base64, so that it cannot end the attribute.
  if (base64 === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    return h`<p class="soft">The picture of ${code(id)} is not in this report; it was kept as ${code(screenshot.file)}.</p>`;
  }
  const image = { markup: `<img src="data:image/png;base64,${base64}"` };
  return h`<figure>${image} alt="The page as ${id} saw it" style="max-width:100%;height:auto;border:1px solid currentColor"><figcaption>The page as ${code(id)} saw it; sha256 ${code(screenshot.sha256)}</figcaption></figure>
`;
}
