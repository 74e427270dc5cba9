import { describe, expect, test } from '@jest/globals';
import { daysText, dueWithin } from '../../src/phases/server-tasks/certificate-dates.ts';
import { cleanUpObstacle } from '../../src/phases/server-tasks/clean-up-folders.ts';
import { planServerTasks, serverStep } from '../../src/phases/server-tasks/planned-tasks.ts';
import { planSchema } from '../../src/plan/plan.ts';
import { mountsOf } from '../../src/servers/linux/boot.ts';
import { parseRotation } from '../../src/servers/linux/logrotate.ts';
import { planOf } from '../fixtures/record-factory.ts';

describe('folders to clean up', () => {
  const own = ['/var/lib/maintenance-window', '/srv/backups/shop'];

  test.each([
    '/',
    '/etc',
    '/etc/nginx',
    '/home',
    '/home/',
    '/home/deploy',
    '/root',
    '/root/tmp',
    '/usr/share',
    '/boot',
    '/var',
    '/var/lib',
    '/var/lib/postgresql/15/main',
    '/var/lib/docker/volumes',
    '/srv',
    '/proc/1',
    '/dev/shm',
    '/home/deploy/.ssh',
    '/home/deploy/shop/.git/objects',
    '/var/lib/maintenance-window/shop/backups',
    '/srv/backups',
    '/srv/backups/shop',
  ])('%s is refused', (path) => {
    expect(cleanUpObstacle(path, { own })).toEqual(expect.any(String));
  });

  test.each([
    '/tmp',
    '/var/tmp',
    '/var/log',
    '/var/log/nginx',
    '/home/deploy/shop/tmp',
    '/srv/shop/tmp',
    '/srv/backups-old',
    '/etcetera',
    '/opt/shop/cache',
    '/var/cache/shop',
  ])('%s is allowed', (path) => {
    expect(cleanUpObstacle(path, { own })).toBeUndefined();
  });
});

describe('server tasks of a plan', () => {
  const tasksOf = (...tasks: object[]) =>
    planServerTasks(planOf({ 'update-server': { tasks } }).updateServer.tasks);

  test('have ids, stages and classes', () => {
    const cache = { task: 'command', id: 'reboot', command: ['true'], blast: 'data' };
    const found = tasksOf(
      { task: 'packages' },
      { task: 'reboot' },
      { task: 'packages' },
      cache,
    ).map(({ id, stage, blast }) => [id, stage, blast]);
    expect(found).toEqual([
      ['packages', 'closed', 'app'],
      ['reboot-2', 'closed', 'app'],
      ['packages-2', 'closed', 'app'],
      ['reboot', 'closed', 'data'],
    ]);
  });

  test('have a step of their own on each host', () => {
    const hosts = ['ssh://deploy@web1.example.org', 'ssh://deploy@web2.example.org:2222'];
    expect(hosts.map((host) => serverStep('upgrade', host, hosts))).toEqual([
      'task-upgrade-on-deploy-web1-example-org',
      'task-upgrade-on-deploy-web2-example-org-2222',
    ]);
    expect(serverStep('upgrade', 'local', ['local'])).toBe('task-upgrade');
    const alike = ['ssh://web.1', 'ssh://web-1'];
    expect(new Set(alike.map((host) => serverStep('upgrade', host, alike))).size).toBe(2);
  });

  test.each([
    [{ task: 'paint' }, /is one of packages, reboot/],
    [{ task: 'packages', exclude: ['-o Dir=/x'] }, /is the name of a package/],
    [{ task: 'packages', upgrade: 'some' }, /is security or all/],
    [{ task: 'reboot', when: 'maybe' }, /is if-needed, always or never/],
    [{ task: 'reboot', command: [] }, /names at least a program/],
    [{ task: 'clean-up' }, /names something/],
    [{ task: 'clean-up', folders: [{ path: '/tmp' }] }, /expected string|is an age/],
    [
      { task: 'clean-up', folders: [{ path: '/tmp/../etc', 'older-than': '1d' }] },
      /is an absolute path without/,
    ],
    [{ task: 'clean-up', folders: [{ path: 'tmp', 'older-than': '1d' }] }, /absolute path/],
    [{ task: 'clean-up', folders: [{ path: '/tmp', 'older-than': '30s' }] }, /at least 1m/],
    [
      { task: 'clean-up', folders: [{ path: '/tmp', 'older-than': '1d', name: '../*' }] },
      /pattern of file names/,
    ],
    [{ task: 'clean-up', docker: ['everything'] }, /is images, containers, build-cache or volumes/],
    [
      { task: 'clean-up', docker: ['containers'], stage: 'closed' },
      /prunes containers online only/,
    ],
    [{ task: 'clean-up', journal: {} }, /has keep-time, keep-size or both/],
    [{ task: 'renew-certificates', certificates: [] }, /at least one certificate/],
    [
      { task: 'renew-certificates', by: 'command', certificates: [{ file: '/c' }] },
      /has command exactly/,
    ],
    [
      { task: 'renew-certificates', certificates: [{ address: 'a b:443', name: 'x' }] },
      /with file, or with address/,
    ],
    [{ task: 'command', command: ['true'] }, /expected string|small letters/],
    [
      { task: 'command', id: 'x', command: ['true'], blast: 'data', stage: 'online' },
      /runs online only with blast/,
    ],
    [{ task: 'command', id: 'x', command: ['a\nb'] }, /text on one line/],
    [{ task: 'reboot', on: 'everywhere' }, /is control, web, database or workers/],
  ])('%j is refused', (task, message) => {
    const parsed = planSchema.safeParse({ 'update-server': { tasks: [task] } });
    expect(parsed.success ? 'accepted' : JSON.stringify(parsed.error.issues)).toMatch(message);
  });
});

describe('certificates', () => {
  const now = new Date('2026-11-22T01:00:00Z');
  const inDays = (days: number) => ({ notAfter: new Date(now.getTime() + days * 86_400_000) });

  test.each([
    [5, true, '5 days left, until 2026-11-27T01:00:00.000Z'],
    [29.99, true, '29 days left, until 2026-12-22T00:45:36.000Z'],
    [30, false, '30 days left, until 2026-12-22T01:00:00.000Z'],
    [1, true, '1 day left, until 2026-11-23T01:00:00.000Z'],
    [-1, true, 'ended 2026-11-21T01:00:00.000Z'],
  ])('that end in %d days are due within thirty: %s', (days, due, words) => {
    expect(dueWithin(inDays(days), 30 * 86_400, now)).toBe(due);
    expect(daysText(inDays(days), now)).toBe(words);
  });
});

test('what fstab mounts by itself is known among what is mounted', () => {
  const mounted =
    'proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /srv/my\\040data ext4 rw 0 0\nnas:/x /mnt/nas nfs rw 0 0\n';
  const fstab =
    '# /etc/fstab\nUUID=1 / ext4 defaults 0 1\nUUID=2 /srv/my\\040data ext4 defaults 0 2\nnas:/x /mnt/nas nfs noauto,ro 0 0\nUUID=3 none swap sw 0 0\n';
  expect(mountsOf(mounted, fstab)).toEqual([
    { folder: '/proc', atStart: false },
    { folder: '/', atStart: true },
    { folder: '/srv/my data', atStart: true },
    { folder: '/mnt/nas', atStart: false },
  ]);
});

test('logrotate tells which logs it looked at and which it rotated', () => {
  expect(
    parseRotation(
      'rotating pattern: /var/log/*.log  weekly (4 rotations)\nconsidering log /var/log/a.log\n  log needs rotating\nconsidering log /var/log/b c.log\n  log does not need rotating\nrotating log /var/log/a.log, log->rotateCount is 4\n',
    ),
  ).toEqual({ considered: ['/var/log/a.log', '/var/log/b c.log'], rotated: ['/var/log/a.log'] });
});
