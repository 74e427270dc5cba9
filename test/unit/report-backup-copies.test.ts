import { describe, expect, test } from '@jest/globals';
import { renderHtml } from '../../src/report/html.ts';
import { renderMarkdown } from '../../src/report/markdown.ts';
import type { ReportInput } from '../../src/report/report-input.ts';
import { buildReport } from '../../src/report/report-model.ts';
import type { BackupReceipt } from '../../src/record/backup-receipt.ts';
import { at, backup, goodWindow } from '../fixtures/record-factory.ts';

/** A good window whose backup has more to tell. */
function inputWith(change: Partial<BackupReceipt>): ReportInput {
  const input = goodWindow();
  const status = { ...input.record.status, backup: { ...backup, ...change } };
  return { ...input, record: { ...input.record, status } };
}

const copies = [
  {
    id: 'vault',
    to: 'ssh',
    label: 'ssh://backup@vault.example.org/srv/<b>|shop',
    objects: ['shop.tar.age', 'shop.json'],
    bytes: 3 * 1024 * 1024,
    sha256: 'c0ffee'.repeat(10),
    encrypted: true,
    readBackAt: at(20),
  },
];
const host = { id: 'host', label: '/srv/backups on local', kept: 3, removed: ['shop-1', 'shop-2'] };

/** The line of the checklist about old backups. */
function lineOf(input: ReportInput) {
  return buildReport(input)
    .checklist.flatMap(({ lines }) => lines)
    .find(({ id }) => id === '9.3');
}

describe('a report', () => {
  test('tells copies and what became of older backups', () => {
    const report = buildReport(inputWith({ copies, retention: [host] }));
    const markdown = renderMarkdown(report);
    expect(markdown).toMatch(
      /\| Copy vault \| <code>ssh:.*vault\.example\.org.*: 3 MiB, encrypted by age, sha256 c0ffee.*; read back at 2026-11-22 02:00:25/,
    );
    expect(markdown).toContain('3 stay, removed and proved gone: shop-1, shop-2');
    expect(markdown).not.toContain('/srv/<b>|shop');
    const html = renderHtml(report);
    expect(html).toContain('ssh://backup@vault.example.org/srv/&lt;b&gt;|shop');
    expect(html).toContain('3 MiB, encrypted by age');
    expect(html).toContain('3 stay, removed and proved gone: shop-1, shop-2');
  });

  test('has no such rows without any', () => {
    const markdown = renderMarkdown(buildReport(goodWindow()));
    expect(markdown).not.toContain('| Copy ');
    expect(markdown).not.toContain('| Older backups ');
  });

  test.each<[string, BackupReceipt['retention'], string, string]>([
    ['without rules', undefined, 'open', 'Without `backup-db.keep`'],
    ['by rules', [host], 'proved', '/srv/backups on local: 3 stay, removed and proved gone'],
    [
      'held back',
      [{ ...host, removed: [], held: 'it is small' }],
      'open',
      'nothing removed: it is small',
    ],
    [
      'broken',
      [{ ...host, removed: [], failed: 'You may not.' }],
      'open',
      'not all removed: You may not.',
    ],
  ])('the checklist about old backups, %s', (_, retention, verdict, words) => {
    const line = lineOf(inputWith(retention === undefined ? {} : { retention }));
    expect(JSON.stringify(line)).toContain(words);
    expect(line?.result.verdict).toBe(verdict);
  });
});
