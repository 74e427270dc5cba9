import { describe, expect, test } from '@jest/globals';
import { planTasks } from '../../src/phases/run-db-maintenance.ts';
import { planOf } from '../fixtures/record-factory.ts';

function tasksOf(...tasks: Record<string, unknown>[]) {
  return planTasks(planOf({ 'run-db-maintenance': { tasks } }).runDbMaintenance.tasks);
}

describe('the tasks of a plan', () => {
  test.each<[Record<string, unknown>, string, string]>([
    [{ task: 'vacuum' }, 'online', 'none'],
    [{ task: 'analyze' }, 'online', 'none'],
    [{ task: 'reindex' }, 'online', 'none'],
    [{ task: 'vacuum', stage: 'closed' }, 'closed', 'none'],
    [{ task: 'migrate', files: '/m' }, 'closed', 'schema'],
    [{ task: 'migrate', command: ['rake'] }, 'closed', 'schema'],
    // SQL that nobody vouches for can do anything.
    [{ task: 'sql', sql: 'select 1' }, 'closed', 'data'],
    [{ task: 'sql', sql: 'select 1', blast: 'schema' }, 'closed', 'schema'],
    [{ task: 'sql', sql: 'select 1', blast: 'none', stage: 'online' }, 'online', 'none'],
    [{ task: 'archive', table: 't', where: 'a', into: 'b' }, 'closed', 'data'],
    [{ task: 'archive', table: 't', where: 'a', folder: '/b' }, 'closed', 'data'],
    // Nothing takes it back: it comes before the restore point.
    [{ task: 'archive', table: 't', where: 'a', into: 'b', stage: 'online' }, 'online', 'none'],
    [{ task: 'refresh' }, 'online', 'none'],
    [{ task: 'repack', tables: ['t'] }, 'online', 'none'],
    [{ task: 'optimize-queries' }, 'online', 'none'],
    [{ task: 'vacuum', full: true, stage: 'closed', consent: ['vacuum-full'] }, 'closed', 'none'],
  ])('%j', (task, stage, blast) => {
    expect(tasksOf(task)).toMatchObject([{ stage, blast }]);
  });

  test('keep their order and are named by id, else by task', () => {
    const tasks = tasksOf(
      { task: 'vacuum' },
      { task: 'sql', id: 'archive', sql: 'x' },
      { task: 'analyze' },
    );
    expect(tasks.map(({ id }) => id)).toEqual(['vacuum', 'archive', 'analyze']);
    expect(tasks[1]?.settings).toMatchObject({ task: 'sql', sql: 'x' });
  });

  test('have a number from the second of a kind on', () => {
    const tasks = tasksOf(
      { task: 'sql', sql: 'a' },
      { task: 'sql', sql: 'b' },
      { task: 'sql', sql: 'c' },
    );
    expect(tasks.map(({ id }) => id)).toEqual(['sql', 'sql-2', 'sql-3']);
  });

  test('never share an id, also when one is named like the number of another', () => {
    const tasks = tasksOf(
      { task: 'sql', id: 'sql-2', sql: 'a' },
      { task: 'sql', sql: 'b' },
      { task: 'sql', sql: 'c' },
      { task: 'vacuum', id: 'sql' },
    );
    expect(tasks.map(({ id }) => id)).toEqual(['sql-2', 'sql', 'sql-3', 'sql-4']);
  });

  test('have the ids that they had in the run before: the journal goes by them', () => {
    const plan = [{ task: 'vacuum' }, { task: 'sql', sql: 'a' }, { task: 'sql', sql: 'b' }];
    expect(tasksOf(...plan)).toEqual(tasksOf(...plan));
  });
});

describe('tasks that the plan refuses', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ task: 'vacuum', full: true, stage: 'closed' }, 'consent: [vacuum-full]'],
    [{ task: 'vacuum', full: true, consent: ['vacuum-full'] }, 'stage: closed'],
    [{ task: 'sql', sql: 'x', consent: ['everything'] }, 'is one of drop,'],
    [{ task: 'archive', table: 't', where: 'a' }, 'either into'],
    [{ task: 'archive', table: 't', where: 'a', into: 'b', folder: '/c' }, 'either into'],
    [{ task: 'migrate', files: '/m', 'when-held-back': 'skip' }, 'when-held-back'],
    [{ task: 'vacuum', 'when-held-back': 'wait' }, 'is skip or fail'],
    [{ task: 'archive', table: 't', where: '', into: 'b' }, 'is an SQL condition'],
    [{ task: 'archive', table: 't', where: 'a', folder: 'here' }, 'absolute path'],
    [{ task: 'archive', table: 't', where: 'a', folder: '/a/../b' }, 'absolute path'],
    [{ task: 'archive', table: 't', where: 'a', into: 'b', 'batch-size': 0 }, 'at least 1'],
    [{ task: 'refresh', views: [] }, ''],
    [{ task: 'repack', jobs: 2 }, ''],
    [{ task: 'optimize-queries', 'at-most': 51 }, 'at most 50'],
  ])('%j', (task, message) => expect(() => tasksOf(task)).toThrow(message));
});
