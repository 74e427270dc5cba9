import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import { formWords } from './backup-form.ts';
import { proofWords, restoreBasisWords } from './backup-proof.ts';
import { copyWords, retentionWords } from './backup-places.ts';
import { badge, code, facts, prose, table, text } from './html-parts.ts';
import { h, joined, nothing, type Markup } from './html-template.ts';
import { clockOf, secondOf } from './moment.ts';
import type { Report } from './report-model.ts';
import {
  checkMarks,
  durationText,
  reviewMark,
  releasedWord,
  sizeText,
  verdictMarks,
  verdictText,
} from './wording.ts';

export function recovery({ recovery: found, head: { timeZone } }: Report): Markup {
  const { backup, restorePoint, rollback } = found;
  const rows: [string, Markup][] = [];
  if (backup === null) {
    rows.push(['Backup', text('none in this record')]);
  } else {
    rows.push(
      ['Backup', code(backup.directory)],
      [
        'Taken',
        h`${secondOf(backup.takenAt, timeZone)}, in ${formatDuration(backup.dumpSeconds)}; PostgreSQL ${backup.serverVersion}, pg_dump ${backup.dumpVersion}`,
      ],
      [
        'Holds',
        h`${formatBytes(backup.bytes)}; ${backup.totalRows.toLocaleString('en-US')} rows in ${backup.tables} tables; ${backup.tocEntries} entries; sha256 ${code(backup.sha256)}`,
      ],
      ...[formWords(backup)].flatMap((words): [string, Markup][] =>
        words === undefined ? [] : [['Form', text(words)]],
      ),
      ...(backup.notes ?? []).map((note): [string, Markup] => ['Mind', text(note)]),
      ['Proved', h`${proofWords(backup)}, at ${secondOf(backup.verifiedAt, timeZone)}`],
      ...(backup.verification?.observed ?? []).map((line): [string, Markup] => [
        'Observed',
        text(line),
      ]),
      [
        'Recovery time (RTO basis)',
        h`<strong>${formatDuration(backup.restoreSeconds)}</strong>, ${restoreBasisWords(backup.restoreBasis)}`,
      ],
      ...backup.copies.map((copy): [string, Markup] => [
        `Copy ${copy.id}`,
        h`${code(copy.label)}: ${copyWords(copy)}; read back at ${secondOf(copy.readBackAt, timeZone)}`,
      ]),
      ...backup.retention.map((place): [string, Markup] => [
        'Older backups',
        h`${code(place.label)}: ${retentionWords(place)}`,
      ]),
    );
  }
  if (restorePoint !== null) {
    const closed = restorePoint.takenWhileClosed
      ? 'while the public was kept out'
      : 'while the public was not proved to be kept out';
    rows.push(
      [
        'Restore point',
        h`${restorePoint.kind} ${code(restorePoint.place)}, ${sizeText(restorePoint.bytes)}taken at ${secondOf(restorePoint.takenAt, timeZone)} in ${formatDuration(restorePoint.seconds)}, ${closed}${restorePoint.dropped ? `; ${releasedWord(restorePoint.kind)}` : restorePoint.keptUntil === null ? '' : `; kept until ${secondOf(restorePoint.keptUntil, timeZone)}`}`,
      ],
      [
        'Its age (RPO basis)',
        h`${durationText(restorePoint.ageSeconds)} at the ${restorePoint.ageAt}`,
      ],
    );
  }
  if (rollback !== null) {
    rows.push(
      [
        'Rollback',
        h`${secondOf(rollback.startedAt, timeZone)}, ${rollback.finishedAt === null ? h`<strong>not finished</strong>` : `finished after ${durationText(rollback.seconds)}`}; the window was ${rollback.from}`,
      ],
      ['Because', prose(rollback.reason)],
      ['Data lost', prose(rollback.loss)],
      [
        'Failed database kept as',
        rollback.failedDatabase === null ? text('none kept') : code(rollback.failedDatabase),
      ],
    );
    if (rollback.acceptedLoss !== null) rows.push(['Loss accepted', prose(rollback.acceptedLoss)]);
  }
  return facts('What the window could go back to, and what going back cost', rows);
}

export function durations({ phases, prediction }: Report): Markup {
  const took = table(
    'Work of each phase, without the pauses between its steps',
    [
      { title: 'Phase', kind: 'short' },
      { title: 'Steps', kind: 'number' },
      { title: 'Failed', kind: 'number' },
      { title: 'Work', kind: 'number' },
    ],
    phases.map((phase) => [
      text(phase.phase),
      h`${phase.steps}`,
      h`${phase.failed}`,
      text(formatDuration(phase.seconds)),
    ]),
  );
  const predicted = table(
    'Predicted by preflight, and what it took',
    [
      { title: 'Step' },
      { title: 'Public', kind: 'short' },
      { title: 'Predicted', kind: 'number' },
      { title: 'Took', kind: 'number' },
      { title: 'Basis' },
    ],
    [
      ...(prediction?.steps ?? []).map((step) => [
        text(step.step),
        text(step.closed ? 'kept out' : 'served'),
        text(formatDuration(step.predicted)),
        text(durationText(step.actual)),
        text(step.basis),
      ]),
      ...(prediction === null
        ? []
        : [
            [
              h`<strong>Downtime</strong>`,
              nothing,
              h`<strong>${formatDuration(prediction.downtime.predicted)}</strong>`,
              h`<strong>${durationText(prediction.downtime.actual)}</strong>`,
              text('all closed steps; seen from outside'),
            ],
          ]),
    ],
  );
  return joined(
    [phases.length > 0 ? took : nothing, prediction === null ? nothing : predicted],
    h`<br>`,
  );
}

export function checks({ checks: found }: Report): Markup {
  if (found.length === 0) return nothing;
  return table(
    'Checked before anything was touched',
    [
      { title: 'Check' },
      { title: 'Verdict', kind: 'short' },
      { title: 'Observed' },
      { title: 'Accepted' },
      { title: 'Next' },
    ],
    found.map((check) => [
      text(check.title),
      badge(checkMarks[check.verdict]),
      prose(check.value),
      prose(check.limit),
      check.next === undefined ? nothing : prose(check.next),
    ]),
  );
}

export function people({
  approvals,
  contacts,
  signOffs,
  jobs,
  head: { timeZone },
}: Report): Markup {
  const note = approvals.note === null ? nothing : h`<p>${approvals.note}</p>`;
  const reviews =
    approvals.reviews.length > 0
      ? table(
          'Reviews of the gates; GitHub tells no time',
          [{ title: 'Gate' }, { title: 'Review' }, { title: 'By' }, { title: 'Comment' }],
          approvals.reviews.map((review) => [
            text(review.environments.join(', ')),
            badge(reviewMark(review.state)),
            h`${review.user}${review.selfApproval ? h` ${badge({ tone: 'attention', sign: '!', word: 'self-approval' })}` : nothing}`,
            prose(review.comment),
          ]),
        )
      : h`<p>${approvals.known ? 'No review is known of this run.' : 'The approvals could not be read.'}</p>`;
  const names = [...contacts, ...signOffs.map(({ title, value }) => ({ role: title, value }))];
  const who = facts(
    'Contacts and sign-offs',
    names.map(({ role, value }): [string, Markup] => [role, text(value === '' ? '–' : value)]),
  );
  const ran =
    jobs.length === 0
      ? nothing
      : table(
          'Jobs of the run',
          [{ title: 'Job' }, { title: 'Result' }, { title: 'Began' }, { title: 'Ended' }],
          jobs.map((job) => [
            text(job.name),
            text(job.conclusion),
            text(job.startedAt === undefined ? '' : clockOf(job.startedAt, timeZone)),
            text(job.completedAt === undefined ? '' : clockOf(job.completedAt, timeZone)),
          ]),
        );
  return joined([h`${reviews}${note}`, who, ran], h`<br>`);
}

export function checklist({ checklist: sections, counts }: Report): Markup {
  const summary = h`<p>${badge(verdictMarks.proved)} ${counts.proved} by this record &ensp; ${badge(verdictMarks.attested)} ${counts.attested} by a person &ensp; ${badge(verdictMarks['not-applicable'])} ${counts.notApplicable} &ensp; ${badge(verdictMarks.open)} ${counts.open}</p>
`;
  const parts = sections.map(({ number, title, part, lines }) => {
    const open = lines.filter(({ result }) => result.verdict === 'open').length;
    return h`<h3>${number}. ${title}</h3>
${table(
  `${part}: ${lines.length - open} of ${lines.length} settled`,
  [{ title: 'Line' }, { title: 'What' }, { title: 'Verdict', kind: 'short' }, { title: 'By' }],
  lines.map((line) => [
    text(line.id),
    text(line.title),
    badge(verdictMarks[line.result.verdict]),
    prose(verdictText(line.result)),
  ]),
  'checklist',
)}`;
  });
  return h`${summary}${parts}`;
}
