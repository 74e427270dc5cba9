import { describe, expect, test } from '@jest/globals';
import { codeGroup } from '../../src/plan/settings/code.ts';
import { servicesType } from '../../src/plan/settings/services.ts';

const unit = { id: 'web', kind: 'unit', unit: 'web.service' };
const compose = { id: 'web', kind: 'compose', service: 'web', directory: '/srv/shop' };
const cron = { id: 'web', kind: 'cron', file: 'shop' };
const command = { id: 'web', kind: 'command', stop: ['a'], start: ['a'], status: ['a'] };

function said(type: typeof servicesType | typeof codeGroup, value: unknown): string {
  const parsed = type.safeParse(value);
  return parsed.success
    ? 'nothing'
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
}

describe('services', () => {
  test.each([
    [unit],
    [{ ...unit, unit: 'report@eu\\x2d1.timer', scope: 'user', kill: true }],
    [compose],
    [cron],
    [{ id: 'web', kind: 'cron', user: 'www-data' }],
    [command],
    [{ ...command, stop: ['/srv/a b', '$(id)', '; rm', 'a\nb'] }],
  ])('may be %j', (service) => {
    expect(said(servicesType, [service])).toBe('nothing');
  });

  test.each([
    [{ ...unit, unit: 'web' }, 'is the name of a unit'],
    [{ ...unit, unit: '--now.service' }, 'is the name of a unit'],
    [{ ...unit, unit: 'web.service --now' }, 'is the name of a unit'],
    [{ ...unit, unit: '../web.service' }, 'is the name of a unit'],
    [{ ...unit, unit: 'web.mount' }, 'is the name of a unit'],
    [{ ...unit, unit: 'web.service\nx' }, 'is the name of a unit'],
    [{ ...unit, drain: '0s' }, 'is a duration such as'],
    [{ ...unit, on: 'everywhere' }, 'is control, web, database or workers'],
    [{ ...unit, id: 'Web 1' }, 'is a name of small letters'],
    [{ ...unit, stop: ['a'] }, 'stop'],
    [{ ...compose, service: '--all' }, 'is the name of a compose service'],
    [{ ...compose, directory: 'shop' }, 'is an absolute path'],
    [{ ...compose, directory: '/srv/../etc' }, 'is an absolute path'],
    [{ ...compose, project: 'Shop;x' }, 'is the name of a compose project'],
    [{ ...cron, file: '../passwd' }, 'is the name of a file in /etc/cron.d'],
    [{ ...cron, file: 'shop.bak' }, 'is the name of a file in /etc/cron.d'],
    [{ ...cron, user: 'shop' }, 'has either file or user'],
    [{ id: 'web', kind: 'cron' }, 'has either file or user'],
    [{ id: 'web', kind: 'cron', user: '-r' }, 'is the name of a user'],
    [{ ...command, stop: [] }, 'names a program'],
    [{ ...command, stop: 'stop all' }, 'is a list of program and arguments'],
    [{ ...command, status: ['a', 'b\u0000'] }, 'has no NUL character'],
    [{ ...command, 'stopped-codes': [0] }, 'is at least 1'],
    [{ ...unit, kind: 'pod' }, 'is unit, compose, cron or command'],
    ['web.service', ''],
  ])('may not be %j', (service, message) => {
    expect(said(servicesType, [service])).toContain(message);
    expect(said(servicesType, [service])).not.toBe('nothing');
  });

  test('have each id once', () => {
    expect(said(servicesType, [unit, { ...cron }])).toContain('has each id once');
  });
});

test.each([
  [{ directory: 'shop' }, 'is an absolute path'],
  [{ push: '--mirror' }, 'is the name of a remote'],
  [{ push: 'https://ada:secret@git.example.org/x' }, 'not a URL'],
  [{ push: 'a b' }, 'is the name of a remote'],
  [{ on: 'ssh://x y' }, 'is control, web'],
  [{ tag: 'v1' }, 'tag'],
])('code may not be %j', (code, message) => {
  expect(said(codeGroup, code)).toContain(message);
});
