import { describe, expect, test } from '@jest/globals';
import { judgeBrowser } from '../../src/phases/smoke-checks/browser.ts';
import { judgeDns } from '../../src/phases/smoke-checks/dns.ts';
import { isRotation, newLines, type LogFile } from '../../src/phases/smoke-checks/log-pieces.ts';
import { kindOf } from '../../src/phases/smoke-checks/registry.ts';
import { judgeRouting } from '../../src/phases/smoke-checks/routing.ts';
import { judgeTcp } from '../../src/phases/smoke-checks/tcp.ts';
import { judgeCanary } from '../../src/phases/smoke-checks/write-canary.ts';
import { checkSchema, type CheckOf, type SmokeCheck } from '../../src/plan/settings/smoke-test.ts';
import type { Visited } from '../../src/ports/browser.ts';
import type { WriteCanary } from '../../src/ports/database.ts';

function checkOf<K extends SmokeCheck['kind']>(kind: K, settings: object): CheckOf<K> {
  return checkSchema.parse({ id: 'it', kind, ...settings }) as CheckOf<K>;
}

describe('what a check demands', () => {
  test.each<[object, string]>([
    [
      {
        kind: 'http',
        url: '/',
        expect: {
          status: [200, 204],
          headers: { 'X-Version': '2' },
          'body-contains': 'in "stock"',
          json: { ok: true },
          latency: '500ms',
        },
      },
      String.raw`status 200 or 204, header X-Version: 2, body with "in \"stock\"", ok is true, an answer within 0.5 s`,
    ],
    [{ kind: 'routing' }, '1 address or more, each with status 200'],
    [{ kind: 'sql', query: 'x', equals: 5, 'at-least': 3 }, 'value 5 and at least 3'],
    [
      { kind: 'write-canary', insert: 'x' },
      'written, read back, all constraints kept, rolled back, and proved to have left nothing',
    ],
    [{ kind: 'tcp', host: '2001:db8::7', port: 25 }, 'a connection to [2001:db8::7]:25'],
    [
      { kind: 'dns', name: 'shop.test', values: ['192.0.2.1'], only: true },
      'A 192.0.2.1 and nothing else',
    ],
    [
      { kind: 'tls', address: 'shop.test:443', servername: 'shop.test', 'days-left': 1 },
      'a certificate for shop.test, valid for 1 day more or longer, with a trusted chain',
    ],
    [
      { kind: 'command', command: ['x'], 'stdout-matches': '^ok' },
      'exit code 0, output that matches /^ok/',
    ],
    [
      { kind: 'log', journal: 'shop', pattern: 'x', must: 'occur', since: 'closed' },
      'a line in the journal of shop that matches x, since the site was closed',
    ],
    [
      {
        kind: 'browser',
        url: '/',
        title: 'Shop',
        selector: '#a',
        'ends-at': '/b',
        'failed-requests': 'allow',
      },
      'a page with a status below 400, that ends at /b, title "Shop", an element #a, no error in the console',
    ],
  ])('%j is told as a whole', (settings, words) => {
    const check = checkSchema.parse({ id: 'it', ...settings });
    expect(kindOf(check).expectation(check)).toBe(words);
  });

  test.each<[object, string]>([
    [{ kind: 'tcp', host: 'a b', port: 1 }, 'host'],
    [{ kind: 'tcp', host: '$(id)', port: 1 }, 'host'],
    [{ kind: 'tcp', host: '-oProxyCommand=x', port: 1 }, 'host'],
    [{ kind: 'tcp', host: 'x', port: 65_536 }, 'port'],
    [{ kind: 'unit', unit: '--now' }, 'unit'],
    [{ kind: 'unit', unit: '../x' }, 'unit'],
    [{ kind: 'command', command: [] }, 'command'],
    [{ kind: 'command', command: ['x'], 'stdout-matches': '(' }, 'stdout-matches'],
    [{ kind: 'browser', url: 'file:///etc/passwd' }, 'url'],
    [{ kind: 'http', url: '/', proves: ['15.1'] }, 'proves'],
    [{ kind: 'dns', name: 'x', type: 'ANY' }, 'type'],
  ])('%j is refused', (settings, key) => {
    const parsed = checkSchema.safeParse({ id: 'it', ...settings });
    expect(parsed.error?.issues[0]?.path[0]).toBe(key);
  });
});

describe('records', () => {
  const judge = (
    { type = 'A', values = [], only = false }: Partial<CheckOf<'dns'>>,
    ...found: string[]
  ) => judgeDns({ type, values, only }, { kind: 'records', values: found });

  test.each<[Partial<CheckOf<'dns'>>, string[]]>([
    [{}, ['192.0.2.1']],
    [{ values: ['192.0.2.1'] }, ['192.0.2.2', '192.0.2.1']],
    [{ values: ['192.0.2.1', '192.0.2.2'], only: true }, ['192.0.2.2', '192.0.2.1']],
    [{ type: 'AAAA', values: ['2001:DB8:0::7'] }, ['2001:db8::7']],
    [{ type: 'CNAME', values: ['Shop.Example.org.'] }, ['shop.example.org']],
    [{ type: 'MX', values: ['10  mail.example.org'] }, ['10 Mail.example.org.']],
    [{ type: 'TXT', values: ['v=spf1 -all'] }, ['v=spf1 -all']],
  ])('%j are satisfied by %j', (check, found) => {
    expect(judge(check, ...found)).toMatchObject({ kind: 'passed' });
  });

  test.each<[Partial<CheckOf<'dns'>>, string[], string]>([
    [{}, [], 'no A record'],
    [{ values: ['192.0.2.1'] }, ['192.0.2.2'], '192.0.2.2 (without 192.0.2.1)'],
    [
      { values: ['192.0.2.1'], only: true },
      ['192.0.2.1', '192.0.2.9'],
      '192.0.2.1, 192.0.2.9 (with 192.0.2.9 besides)',
    ],
    [{ type: 'TXT', values: ['V=spf1'] }, ['v=spf1'], 'v=spf1 (without V=spf1)'],
  ])('%j are not by %j', (check, found, observed) => {
    expect(judge(check, ...found)).toMatchObject({ kind: 'failed', observed });
  });
});

describe('the addresses behind a name', () => {
  const good = { kind: 'passed', observed: 'status 200 in 1 ms' } as const;
  const bad = { kind: 'failed', observed: 'status 502 in 1 ms', expected: 'status 200' } as const;
  const at = (part: string, verdict: typeof good | typeof bad) => ({ part, verdict });

  test('that all answer are told one by one', () => {
    expect(judgeRouting([at('192.0.2.1:443', good), at('[2001:db8::1]:443', good)], 2)).toEqual({
      kind: 'passed',
      observed: '192.0.2.1:443: status 200 in 1 ms; [2001:db8::1]:443: status 200 in 1 ms',
    });
    expect(judgeRouting([at('192.0.2.1:443', good)], 1)).toEqual({
      kind: 'passed',
      observed: '192.0.2.1:443: status 200 in 1 ms',
    });
  });

  test('of which one does not answer as expected fail, and name it', () => {
    expect(judgeRouting([at('192.0.2.1:443', good), at('192.0.2.2:443', bad)], 1)).toEqual({
      kind: 'failed',
      observed: '1 of 2 not as expected: 192.0.2.2:443: status 502 in 1 ms',
      expected: 'status 200',
    });
    expect(judgeRouting([at('192.0.2.2:443', bad)], 1)).toMatchObject({
      observed: '192.0.2.2:443: status 502 in 1 ms',
    });
  });

  test('that are too few fail', () => {
    expect(judgeRouting([at('192.0.2.1:443', good)], 2)).toEqual({
      kind: 'failed',
      observed: '1 address: 192.0.2.1:443',
      expected: '2 addresses or more',
    });
    expect(judgeRouting([], 1)).toMatchObject({ kind: 'failed', observed: 'no address' });
  });
});

describe('a connection', () => {
  const check = { host: 'mail.test', port: 25, banner: '220' };
  const connected = { kind: 'connected', seconds: 0.02 } as const;

  test.each([
    [{ ...connected, banner: '220 ready' }, 'passed', 'connected in 20 ms, first line "220 ready"'],
    [{ ...connected, banner: '554 no' }, 'failed', 'connected in 20 ms, first line "554 no"'],
    [{ ...connected, banner: undefined }, 'failed', 'connected in 20 ms, but no first line came'],
    [{ kind: 'no-answer', reason: 'refused' } as const, 'failed', 'refused'],
  ])('%j is judged', (answer, kind, observed) => {
    expect(judgeTcp(check, answer)).toMatchObject({ kind, observed });
  });
});

describe('a write that was taken back', () => {
  const good: WriteCanary = {
    wrote: true,
    transaction: '742',
    rolledBack: true,
    read: { value: '1' },
    sequences: [],
    role: 'shop_app',
  };

  test.each<[Partial<WriteCanary>, 'passed' | 'failed', string]>([
    [{}, 'passed', 'written and read back as shop_app, rolled back (transaction 742 aborted)'],
    [
      { read: undefined, role: undefined },
      'passed',
      'written, rolled back (transaction 742 aborted)',
    ],
    [
      { sequences: [{ name: 'public.s', before: null, after: '1' }] },
      'passed',
      'written and read back as shop_app, rolled back (transaction 742 aborted); meanwhile sequences moved on, which no rollback takes back: public.s from unused to 1; give ids in `insert` to avoid it',
    ],
    [{ wrote: false }, 'failed', 'the SQL was accepted, but wrote nothing'],
    [{ rolledBack: false }, 'failed', 'the transaction is not known to be rolled back'],
    [
      { read: { value: undefined } },
      'failed',
      'what was written is not read back: no row; it was rolled back',
    ],
    [
      { read: { value: 'false' } },
      'failed',
      'what was written is not read back: value false; it was rolled back',
    ],
  ])('with %j has %s', (change, kind, observed) => {
    expect(judgeCanary({ ...good, ...change })).toMatchObject({ kind, observed });
  });
});

describe('a page', () => {
  const seen: Extract<Visited, { kind: 'page' }> = {
    kind: 'page',
    url: 'https://shop.test/start?token=x',
    status: 200,
    title: 'Shop',
    hasSelector: true,
    consoleErrors: [],
    failedRequests: [],
    screenshot: undefined,
    seconds: 1,
  };
  const demand = { url: '/', title: 'Shop', selector: '#stock', 'ends-at': '/start' };

  test('as it should be passes', () => {
    expect(judgeBrowser(checkOf('browser', demand), seen).kind).toBe('passed');
    const lenient = { url: '/', 'console-errors': 'allow', 'failed-requests': 'allow' };
    const noisy = { ...seen, consoleErrors: ['x'], failedRequests: ['y'] };
    expect(judgeBrowser(checkOf('browser', lenient), noisy).kind).toBe('passed');
  });

  test.each<[Partial<typeof seen>, string, string]>([
    [{ status: 503 }, 'status 503', 'a page with a status below 400'],
    [{ url: 'https://shop.test/login' }, 'ended at https://shop.test/login', 'ends at /start'],
    [{ title: 'Error' }, 'title "Error"', 'title "Shop"'],
    [{ hasSelector: false }, 'without #stock', 'an element #stock'],
    [{ consoleErrors: ['a', 'b'] }, '2 console errors, the first: a', 'no error in the console'],
    [
      { failedRequests: ['GET /x: status 404'] },
      '1 failed request, the first: GET /x: status 404',
      'no failed request',
    ],
  ])('with %j fails', (change, observed, expected) => {
    expect(judgeBrowser(checkOf('browser', demand), { ...seen, ...change })).toMatchObject({
      kind: 'failed',
      observed: expect.stringContaining(observed),
      expected,
    });
  });

  test('without a browser fails, or is skipped where that is allowed; never passes', () => {
    const missing = { kind: 'no-browser', isMissing: true, reason: 'none is installed' } as const;
    expect(judgeBrowser(checkOf('browser', demand), missing)).toEqual({
      kind: 'failed',
      observed: 'no Chromium (none is installed)',
      expected: expect.stringContaining('install the package chromium'),
    });
    const optional = checkOf('browser', { ...demand, optional: true });
    expect(judgeBrowser(optional, missing)).toEqual({
      kind: 'skipped',
      observed: 'no Chromium (none is installed)',
    });
    // One that is there and does not work is not left out.
    expect(judgeBrowser(optional, { ...missing, isMissing: false }).kind).toBe('failed');
  });
});

describe('the files of a log', () => {
  const log = '/var/log/shop/shop.log';
  test.each([
    [`${log}.1`, true],
    [`${log}.12.gz`, true],
    [`${log}-20261122`, true],
    [`${log}-20261122.gz`, true],
    ['/var/log/shop/shop-20261122.log', true],
    ['/var/log/shop/shop.1.log.gz', true],
    [log, false],
    [`${log}.bak`, false],
    ['/var/log/shop/shop-admin.log', false],
    ['/var/log/shop/shop.log.d', false],
    ['/var/log/other/shop.log.1', false],
    ['/var/log/shop/shop.log.1.xz', false],
  ])('%s is one that a rotation left: %s', (path, is) => {
    expect(isRotation(log, path)).toBe(is);
  });

  const mark = {
    hostSeconds: 1000,
    position: { kind: 'end', id: '1:5', bytes: 100, headBytes: 100, head: 'x' },
  } as const;
  const file = (path: string, id: string, bytes: number, changedAt = 1001): LogFile => ({
    path,
    id,
    bytes,
    changedAt,
  });
  const pieces = (...files: LogFile[]) => {
    const found = newLines(log, mark, files, false);
    return found.kind === 'gap'
      ? found.why
      : found.pieces.map(({ path, from }) => `${path}:${from}`);
  };

  test('hold what is new in the order in which it was written', () => {
    expect(
      pieces(
        file(log, '1:9', 10, 1004),
        file(`${log}.1`, '1:8', 70, 1003),
        file(`${log}.2.gz`, '1:7', 20, 1002),
        file(`${log}.3`, '1:5', 300, 999),
        file(`${log}.4`, '1:4', 300, 500),
      ),
    ).toEqual([`${log}.3:100`, `${log}.2.gz:0`, `${log}.1:0`, `${log}:0`]);
  });

  test('that cannot hold what was there at the mark are no proof', () => {
    expect(pieces(file(log, '1:9', 10))).toContain('in no file beside it');
    expect(pieces(file(log, '1:9', 10), file(`${log}.1`, '1:8', 50))).toBe(
      `${log}.1 ends before what was already there`,
    );
  });
});
