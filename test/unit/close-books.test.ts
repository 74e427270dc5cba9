import { describe, expect, test } from '@jest/globals';
import { archiveRecord } from '../../src/phases/close-books.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { at } from '../fixtures/record-factory.ts';

const given = {
  mode: 'fake',
  prior: null,
  closedAt: at(40),
  reopenedAt: at(45),
  restoration: '1 file given back',
};
const { restoration: _, ...hooked } = given;
const cron = {
  id: 'cron',
  host: 'local',
  kind: 'cron',
  title: 'crontab of shop',
  resume: 'when-open',
  prior: 'running',
  priorDetail: 'running',
  stopBegunAt: at(41),
} as const;

describe('the record of a window that is open again', () => {
  test.each<[string, Partial<WindowStatus>, boolean]>([
    ['is archived when nothing is owed', { maintenance: given }, true],
    ['stays while what was there before is not given back', { maintenance: hooked }, false],
    [
      'stays while a service is not seen to run again',
      { maintenance: given, services: [cron] },
      false,
    ],
    [
      'is archived when somebody put something else in place of a service',
      { maintenance: given, services: [{ ...cron, note: 'it was changed' }] },
      true,
    ],
  ])('%s', async (_what, status, archived) => {
    const context = await new FakeWorld().contextOf({ state: 'reopened', ...status });
    expect(await archiveRecord(context)).toBe(archived);
  });
});
