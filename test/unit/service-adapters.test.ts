import { describe, expect, test } from '@jest/globals';
import { countChanges, remoteCommit, withoutCredentials } from '../../src/code/git.ts';
import { tagOf, whatToPutBack } from '../../src/phases/code.ts';
import { commandState } from '../../src/services/command.ts';
import { composeState, type Container } from '../../src/services/compose.ts';
import { countJobs } from '../../src/services/crontab.ts';
import { judgeUnit, parseProperties, unitState } from '../../src/services/systemd.ts';
import { parseTimeSpan } from '../../src/services/time-span.ts';

test.each([
  ['1min 30s', 90],
  ['infinity', Infinity],
  ['500ms', 0.5],
  ['2h 5min', 7500],
  ['0', 0],
  ['1w 2d', 777_600],
  ['soon', undefined],
  ['', undefined],
])('a time span %s of systemd is %s seconds', (text, seconds) => {
  expect(parseTimeSpan(text)).toBe(seconds);
});

describe('a unit', () => {
  test.each([
    ['active', 'running', 'running'],
    ['reloading', 'reload', 'running'],
    ['activating', 'start', 'changing'],
    ['activating', 'auto-restart', 'failed'],
    ['deactivating', 'stop-sigterm', 'changing'],
    ['inactive', 'dead', 'stopped'],
    ['failed', 'failed', 'failed'],
    ['maintenance', '', 'changing'],
  ])('that is %s (%s) counts as %s', (ActiveState, SubState, kind) => {
    expect(unitState({ LoadState: 'loaded', ActiveState, SubState }).kind).toBe(kind);
  });

  test('that systemd had to end by force is told so', () => {
    const found = {
      LoadState: 'loaded',
      ActiveState: 'failed',
      SubState: 'failed',
      Result: 'timeout',
    };
    expect(unitState(found)).toMatchObject({ kind: 'failed', killed: true });
    expect(unitState({ ...found, Result: 'exit-code' })).not.toHaveProperty('killed');
  });

  test('is another run after each start and each restart', () => {
    const run = (text: string) => {
      const state = unitState(parseProperties(text));
      return state.kind === 'running' ? state.run : undefined;
    };
    const text = 'LoadState=loaded\nActiveState=active\nInvocationID=ab\nNRestarts=0\nMainPID=7\n';
    expect(run(text)).toBe('ab/0');
    expect(run(text.replace('NRestarts=0', 'NRestarts=1'))).toBe('ab/1');
    expect(run(text.replace('ID=ab', 'ID=cd'))).toBe('cd/0');
  });

  const web = { unit: 'web.service', scope: 'system', drainSeconds: 60 } as const;
  const fine = {
    LoadState: 'loaded',
    ActiveState: 'active',
    SubState: 'running',
    Type: 'simple',
    TimeoutStopUSec: '1min 30s',
    CanStop: 'yes',
    CanStart: 'yes',
  };
  const root = { mayManage: true, host: 'local' };
  test.each([
    ['is fine', fine, root, 'passed'],
    ['runs once', { ...fine, Type: 'oneshot' }, root, 'failed'],
    ['runs once and remains', { ...fine, Type: 'oneshot', RemainAfterExit: 'yes' }, root, 'passed'],
    ['refuses to be stopped', { ...fine, CanStop: 'no' }, root, 'failed'],
    ['is killed before its drain is over', { ...fine, TimeoutStopUSec: '10s' }, root, 'warning'],
    ['is not ours', fine, { ...root, mayManage: false }, 'warning'],
    ['has failed', { ...fine, ActiveState: 'failed' }, root, 'warning'],
  ])('that %s', (_what, found, who, verdict) => {
    const check = judgeUnit(found, web, who);
    expect(check.verdict).toBe(verdict);
    if (verdict !== 'passed') expect(check.next).toBeDefined();
  });
});

describe('a compose service', () => {
  const container = (Status: string, more: Partial<Container['State']> = {}): Container => ({
    Id: Status,
    RestartCount: 0,
    State: { Status, ExitCode: 0, OOMKilled: false, StartedAt: '', ...more },
  });
  test.each([
    ['without an entry in the file', undefined, 'missing'],
    ['without a container', [], 'stopped'],
    ['with one of two up', [container('running'), container('exited')], 'running'],
    [
      'that is not healthy yet',
      [container('running', { Health: { Status: 'starting' } })],
      'changing',
    ],
    ['that is unhealthy', [container('running', { Health: { Status: 'unhealthy' } })], 'running'],
    ['that is restarted', [container('running'), container('restarting')], 'failed'],
    ['that is paused', [container('paused')], 'failed'],
    ['that ended', [container('exited')], 'stopped'],
    ['that was killed', [container('exited', { ExitCode: 137 })], 'stopped'],
  ])('%s', (what, containers, kind) => {
    const state = composeState('worker', containers);
    expect(state.kind).toBe(kind);
    if (state.kind === 'stopped') expect(state.killed === true).toBe(what === 'that was killed');
  });
});

test.each([
  ['* * * * * a\n', 1],
  ['# c\n\n  # d\nMAILTO=x\nPATH = /bin\n"A"=b\n@daily b\n', 1],
  ['', 0],
])('%j has %i jobs', (text, jobs) => {
  expect(countJobs(text)).toBe(jobs);
});

test.each([
  [0, 'running'],
  [3, 'stopped'],
  [2, 'failed'],
  [127, 'missing'],
  [null, 'failed'],
])('a status command that ends with %s means %s', (code, kind) => {
  expect(commandState(code, [3], undefined).kind).toBe(kind);
});

describe('code', () => {
  test('is tagged by the time of the window', () => {
    expect(tagOf('mw-20261122-020000-1a2b')).toBe('maintenance-20261122-020000');
  });

  test.each([
    ['stands where it was', { commit: 'a' }, { commit: 'a', modified: 0 }, 'leave'],
    ['stands where it was, with changes', { commit: 'a' }, { commit: 'a', modified: 2 }, 'leave'],
    ['was deployed', { commit: 'a' }, { commit: 'b', modified: 0 }, 'put-back'],
    ['was deployed, with changes', { commit: 'a' }, { commit: 'b', modified: 1 }, 'refuse'],
    [
      'was put back and not restarted',
      { commit: 'a', putBack: { begunAt: 't', from: 'b' } },
      { commit: 'a', modified: 0 },
      'finish',
    ],
    [
      'was put back',
      { commit: 'a', putBack: { begunAt: 't', from: 'b', finishedAt: 't' } },
      { commit: 'a', modified: 0 },
      'leave',
    ],
  ])('that %s', (_what, entry, head, what) => {
    expect(whatToPutBack(entry, head)).toBe(what);
  });

  test('counts changes, also with names that look like entries', () => {
    expect(countChanges('')).toEqual({ modified: 0, untracked: 0 });
    expect(countChanges(' M a\0?? b\0R  new\0?? old\0A  c\0')).toEqual({
      modified: 3,
      untracked: 1,
    });
  });

  test('is found behind annotated and plain tags of a remote', () => {
    const ref = 'refs/tags/x';
    expect(remoteCommit(`aa\t${ref}\nbb\t${ref}^{}\n`, ref)).toBe('bb');
    expect(remoteCommit(`aa\t${ref}\n`, ref)).toBe('aa');
    expect(remoteCommit('', ref)).toBeUndefined();
  });

  test('is told of without the password of its remote', () => {
    expect(withoutCredentials("unable to access 'https://ada:s3cret@git.example.org/x'")).toBe(
      "unable to access 'https://***@git.example.org/x'",
    );
  });
});
