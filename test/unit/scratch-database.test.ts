import { expect, test } from '@jest/globals';
import { withScratch } from '../../src/phases/backups/scratch-database.ts';
import type { Database } from '../../src/ports/database.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeWorld, properties } from '../fixtures/fake-world.ts';

const fit = { serverVersion: '15.8', obstacles: [], told: [], missingRoles: [] };

test.each<[string, WindowStatus['state'], 'here' | 'elsewhere', boolean]>([
  ['on the server of the application while the public is served', 'prepared', 'here', true],
  ['there while the site is closed, when every second counts', 'closed', 'here', false],
  ['on another server, where it holds up nobody', 'prepared', 'elsewhere', false],
])('a scratch database %s is dropped gently: %s, %s, %s', async (_what, state, where, gently) => {
  const world = new FakeWorld();
  const dropped: unknown[] = [];
  const database: Database = {
    ...world.database,
    restoreNeeds: async () => ({}) as Awaited<ReturnType<Database['restoreNeeds']>>,
    scratchFitness: async () => fit,
    createScratch: async () => world.databases[0]!,
    dropScratch: async (_name, _mark, options) => {
      dropped.push(options);
      return [];
    },
  };
  const context = {
    ...(await world.contextOf({ state })),
    database,
    ...(where === 'elsewhere' ? { scratch: database } : {}),
  };
  expect(await withScratch(context, properties, async () => 'proved')).toBe('proved');
  // What a killed run left, and what was made.
  expect(dropped).toEqual([{ gently }, { gently }]);
});
