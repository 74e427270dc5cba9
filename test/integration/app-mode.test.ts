import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { localHost } from '../../src/hosts/local.ts';
import { appMode, type AppModeSettings } from '../../src/modes/app.ts';
import type { FormatName } from '../../src/modes/app/formats.ts';
import { failureOf, type Failure } from '../../src/ports/failure.ts';
import type { Host } from '../../src/ports/host.ts';
import { startApplication, type ClosingApplication } from '../fixtures/closing-application.ts';
import { dyingHost } from '../fixtures/dying-host.ts';

const host = localHost({ environment: { PATH: process.env.PATH ?? '' } });
const started: ClosingApplication[] = [];
afterEach(async () => {
  for (const application of started.splice(0)) await application.stop();
});

const secret = 'correct-horse-battery-staple';
const files: Record<
  FormatName,
  { name: string; key: string; text: string; closed: [string, string] }
> = {
  dotenv: {
    name: '.env',
    key: 'MAINTENANCE_MODE',
    text: `# shop\r\nDB_PASSWORD='${secret}'\r\nMAINTENANCE_MODE=false # closes\r\nLAST=1`,
    closed: ['MODE=false', 'MODE=true'],
  },
  ini: {
    name: 'shop.ini',
    key: 'site.maintenance',
    text: `[db]\npassword = "${secret}"\n[site]\n; off or on\nmaintenance = Off\n`,
    closed: ['= Off', '= On'],
  },
  json: {
    name: 'config.json',
    key: 'site.maintenance',
    text: `{"password": "${secret}",\n\t"site": {"maintenance": false, "name": "Café"}}`,
    closed: ['false', 'true'],
  },
  yaml: {
    name: 'settings.yml',
    key: 'site.maintenance',
    text: `password: ${secret} # secret\nsite:\n  # closes\n  maintenance:   no\n`,
    closed: ['  no', '  yes'],
  },
  python: {
    name: 'settings.py',
    key: 'MAINTENANCE_MODE',
    text: `SECRET_KEY = '${secret}'\nMAINTENANCE_MODE = False  # MAINTENANCE_MODE = True closes\n`,
    closed: ['MODE = False', 'MODE = True'],
  },
};

async function start(format: FormatName = 'dotenv', text = files[format].text) {
  const application = await startApplication(format, files[format].name, text);
  started.push(application);
  const folder = join(application.folder, 'state', 'mode');
  mkdirSync(join(application.folder, 'state'));
  const mode = (over: Partial<AppModeSettings> = {}, on: Host = host) =>
    appMode(
      { host: on },
      {
        windowId: 'mw-20261122-020000-1a2b',
        folder,
        file: application.file,
        format: 'auto',
        key: files[format].key,
        create: false,
        reloadCommand: application.reloadCommand,
        commands: { environment: {}, timeoutSeconds: 20 },
        ...over,
      },
    );
  const read = () => readFileSync(application.file, 'utf8');
  const closedText = text.replace(...files[format].closed);
  return { application, folder, mode, read, text, closedText };
}

async function failureIn(action: Promise<unknown>): Promise<Failure> {
  return action.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => failureOf(error),
  );
}

describe('closes and opens a real application', () => {
  test.each(Object.keys(files) as FormatName[])('%s', async (format) => {
    const { application, mode, read, text, closedText, folder } = await start(format);
    const site = mode();
    for (const check of await site.check()) {
      expect({ id: check.id, verdict: check.verdict }).toEqual({
        id: check.id,
        verdict: check.id === 'app-bypass' ? 'warning' : 'passed',
      });
    }
    expect(existsSync(folder)).toBe(false);
    const prior: unknown = JSON.parse(JSON.stringify(await site.plan()));
    expect(JSON.stringify(prior)).not.toContain(secret);
    expect(await site.installed(prior)).toBe(false);
    await site.install(prior);
    expect(await site.installed(prior)).toBe(true);
    expect([read(), await site.state(), await application.ask()]).toEqual([
      text,
      { kind: 'open' },
      200,
    ]);

    await site.close();
    await application.answers(503);
    expect(read()).toBe(closedText);
    expect(await site.state()).toEqual({ kind: 'closed', windowId: 'mw-20261122-020000-1a2b' });
    expect(await site.installed(prior)).toBe(true);
    for (const name of readdirSync(folder)) {
      expect(readFileSync(join(folder, name), 'utf8')).not.toContain(secret);
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    }
    expect((await failureIn(site.restore(prior))).code).toBe('app-still-closed');
    await site.close();
    expect(read()).toBe(closedText);

    await site.open();
    await application.answers(200);
    expect([read(), await site.state()]).toEqual([text, { kind: 'open' }]);
    await site.open();
    expect(await site.restore(prior)).toEqual({
      kind: 'restored',
      detail: `${application.file} is byte for byte as before`,
    });
    expect(await site.installed(prior)).toBe(false);
    expect(await site.restore(prior)).toEqual({ kind: 'nothing-to-do' });
    expect(existsSync(folder)).toBe(false);
    expect(statSync(application.file).mode & 0o777).toBe(0o640);
  });

  test('by a restart, which a running process does not see coming', async () => {
    const { application, mode } = await start('python');
    const site = mode({ reloadCommand: application.restartCommand });
    await site.install(await site.plan());
    await site.close();
    expect(await application.ask()).toBe(503);
    await site.open();
    expect(await application.ask()).toBe(200);
  });

  test('with a header that the application lets pass', async () => {
    const { application, mode } = await start();
    const site = mode({ bypassHeader: { name: 'X-Maintenance-Bypass', token: application.token } });
    await site.close();
    await application.answers(503);
    expect(await application.ask(site.bypassHeaders())).toBe(200);
    expect(mode().bypassHeaders()).toEqual({});
    await site.open();
  });

  test('by a key that is not there before and not after', async () => {
    const text = 'A=1\nB=2';
    const { application, mode, read } = await start('dotenv', text);
    expect((await failureIn(mode().plan())).message).toContain('MAINTENANCE_MODE');
    const site = mode({ create: true });
    const prior = await site.plan();
    await site.close();
    await application.answers(503);
    expect(read()).toBe('A=1\nB=2\nMAINTENANCE_MODE=true');
    await site.open();
    await application.answers(200);
    expect(read()).toBe(text);
    expect(await site.restore(prior)).toMatchObject({ kind: 'nothing-to-do' });
  });
});

describe('a run that was killed', () => {
  /** After so many effects: the folder, the note, the file, the reload. */
  const whenClosing = [0, 1, 2, 3, 4];
  /** The file, the reload, the note, the folder. */
  const whenOpening = [0, 1, 2, 3, 4];

  test.each(whenClosing)('while closing, after %i effects, goes on or back', async (effects) => {
    const { application, mode, read, text, closedText } = await start();
    const prior = await mode().plan();
    const dying = dyingHost(host, effects);
    const close = mode({}, dying).close();
    if (effects < 4) await expect(close).rejects.toThrow();
    else await close;
    expect(dying.done()).toBe(effects);

    await mode().close();
    await application.answers(503);
    expect(read()).toBe(closedText);
    await mode().open();
    await application.answers(200);

    await mode({}, dyingHost(host, effects))
      .close()
      .catch(() => undefined);
    await mode().open();
    await application.answers(200);
    expect(read()).toBe(text);
    expect((await mode().restore(prior)).kind).toBe('nothing-to-do');
  });

  test.each(whenOpening)('while opening, after %i effects, opens', async (effects) => {
    const { application, mode, read, text, folder } = await start();
    const prior = await mode().plan();
    await mode().close();
    await application.answers(503);
    const dying = dyingHost(host, effects);
    await mode({}, dying)
      .open()
      .catch(() => undefined);
    expect(dying.done()).toBe(effects);
    await mode().open();
    await application.answers(200);
    expect(read()).toBe(text);
    expect((await mode().restore(prior)).kind).toBe('nothing-to-do');
    expect(existsSync(folder)).toBe(false);
  });

  test('between note and edit, is taken back by restore alone', async () => {
    const { application, mode, read, text, folder } = await start();
    const prior = await mode().plan();
    await expect(mode({}, dyingHost(host, 2)).close()).rejects.toThrow();
    expect(readdirSync(folder)).toEqual(['app-closed.json']);
    // What a writer leaves that is killed before its file has its name.
    const leftover = `${join(application.folder, '..env')}.999999999-${'a'.repeat(24)}.tmp`;
    writeFileSync(leftover, text);
    writeFileSync(join(folder, `.app-closed.json.999999999-${'b'.repeat(24)}.tmp`), '{}');
    expect((await mode().restore(prior)).kind).toBe('nothing-to-do');
    expect([read(), existsSync(folder), await application.ask()]).toEqual([text, false, 200]);
    expect(existsSync(leftover)).toBe(false);
  });
});

describe('others at the same file', () => {
  test('who edit it while the site is closed keep what they wrote', async () => {
    const { application, mode, read, text } = await start('yaml');
    const prior = await mode().plan();
    await mode().close();
    writeFileSync(application.file, `${read().replace('# secret', '# rotated')}more: 1\n`);
    await mode().open();
    await application.answers(200);
    expect(read()).toBe(`${text.replace('# secret', '# rotated')}more: 1\n`);
    expect(await mode().restore(prior)).toMatchObject({
      kind: 'partly-restored',
      detail: expect.stringContaining('site.maintenance is as it was before'),
    });
  });

  test('who take the key over are left alone', async () => {
    const { application, mode, read } = await start();
    const prior = await mode().plan();
    await mode().close();
    writeFileSync(application.file, read().replace('MODE=true', 'MODE=0'));
    expect(await mode().state()).toEqual({ kind: 'open' });
    await mode().open();
    await application.answers(200);
    expect(read()).toContain('MAINTENANCE_MODE=0');
    expect(await mode().restore(prior)).toMatchObject({
      kind: 'partly-restored',
      detail: expect.stringContaining('was not touched'),
    });
  });

  test.each(['nobody', 'mw-20261101-020000-ffff'])(
    'who closed the site are not overruled (noted: %s)',
    async (holder) => {
      const { application, mode, read, folder, closedText } = await start();
      const prior = await mode().plan();
      if (holder === 'nobody') writeFileSync(application.file, closedText);
      else await mode({ windowId: holder }).close();
      const before = [read(), existsSync(folder) ? readdirSync(folder) : []];
      expect(await mode().state()).toMatchObject({ kind: 'closed-by-another' });
      for (const attempt of [mode().close(), mode().open(), mode().plan(), mode().install(prior)]) {
        expect((await failureIn(attempt)).code).toBe('closed-by-another');
      }
      expect((await mode().check()).find(({ id }) => id === 'app-key')?.verdict).toBe('failed');
      expect(await mode().restore(prior)).toMatchObject({ kind: 'partly-restored' });
      expect([read(), existsSync(folder) ? readdirSync(folder) : []]).toEqual(before);
    },
  );

  test('who deploy, so that the link leads elsewhere, get both files back', async () => {
    const { application, mode } = await start();
    const { file, folder } = application;
    const release = (name: string) => join(folder, name);
    writeFileSync(release('one.env'), readFileSync(file), { mode: 0o604 });
    // Another owner where we may give one.
    const owner = process.getuid?.() === 0 ? 12_345 : statSync(release('one.env')).uid;
    chownSync(release('one.env'), owner, statSync(release('one.env')).gid);
    rmSync(file);
    symlinkSync('one.env', file);
    const original = readFileSync(file, 'utf8');
    await mode().close();
    await application.answers(503);
    expect(statSync(release('one.env'))).toMatchObject({ mode: 0o100604, uid: owner });
    writeFileSync(release('two.env'), `NEW=1\n${readFileSync(file, 'utf8')}`);
    rmSync(file);
    symlinkSync('two.env', file);
    await mode().open();
    await application.answers(200);
    expect(readFileSync(release('one.env'), 'utf8')).toBe(original);
    expect(readFileSync(release('two.env'), 'utf8')).toBe(`NEW=1\n${original}`);
  });

  test('who write at the very moment win, and it is tried again', async () => {
    const { application, mode, read, text } = await start();
    let times = 2;
    const busy: Host = {
      ...host,
      writeFile: async (path, bytes, how) => {
        await host.writeFile(path, bytes, how);
        if (path.endsWith('app-closed.json') && times-- > 0)
          writeFileSync(application.file, `${read()}\nT${times}=1`);
      },
    };
    await mode({}, busy).close();
    await application.answers(503);
    await mode().open();
    expect(read()).toBe(`${text}\nT1=1\nT0=1`);
    times = Infinity;
    expect((await failureIn(mode({}, busy).close())).code).toBe('app-file-busy');
    expect(await mode().state()).toEqual({ kind: 'open' });
  });
});

describe('a reload that fails', () => {
  test('is undone, and told with its last words but without its secrets', async () => {
    const { application, mode, read, text, folder } = await start();
    const site = mode({
      reloadCommand: [
        'sh',
        '-c',
        'echo "\u001b[31mno unit shop\u001b[0m; key $API_KEY" >&2; exit 5',
      ],
      commands: { environment: { API_KEY: secret }, timeoutSeconds: 20 },
    });
    const failure = await failureIn(site.close());
    expect(failure.code).toBe('app-reload-failed');
    expect(failure.message).toContain('exit code 5; it said: no unit shop; key ***');
    expect(failure.state).toContain('was put back');
    expect([read(), await application.ask(), existsSync(folder)]).toEqual([text, 200, false]);
  });

  test('when opening, is done again by the next run', async () => {
    const { application, mode, read, text } = await start();
    await mode().close();
    await application.answers(503);
    const failure = await failureIn(mode({ reloadCommand: ['/no/such/program'] }).open());
    expect(failure).toMatchObject({ code: 'app-reload-failed' });
    expect([read(), await application.ask()]).toEqual([text, 503]);
    await mode().open();
    await application.answers(200);
  });
});

describe('checks before anything is touched', () => {
  const rows: [string, string, string, (file: string) => Partial<AppModeSettings>][] = [
    [
      'app-file',
      'There is no settings file',
      files.dotenv.text,
      (file) => ({ file: `${file}.gone`, format: 'dotenv' }),
    ],
    [
      'app-file',
      'is no file',
      files.dotenv.text,
      (file) => ({ file: join(file, '..'), format: 'dotenv' }),
    ],
    ['app-file', 'zero bytes', 'A\0', () => ({})],
    ['app-file', 'larger than 1 MiB', 'A=1\n'.repeat(300_000), () => ({})],
    ['app-key', 'is not there', 'A=1\n', () => ({})],
    ['app-key', 'neither on nor off', 'MAINTENANCE_MODE=prod\n', () => ({})],
    ['app-key', 'not JSON', 'MAINTENANCE_MODE=false\n', () => ({ format: 'json' })],
    [
      'app-reload',
      '/no/such/program',
      files.dotenv.text,
      () => ({ reloadCommand: ['/no/such/program'] }),
    ],
  ];
  test('each fails for its own reason', async () => {
    const { application, mode, folder } = await start();
    for (const [id, words, text, over] of rows) {
      writeFileSync(application.file, text);
      const failed = (await mode(over(application.file)).check()).filter(
        ({ verdict }) => verdict === 'failed',
      );
      expect(failed.map((check) => [check.id, check.value])).toEqual([
        [id, expect.stringContaining(words)],
      ]);
      expect(failed[0]?.next).toBeTruthy();
      expect(readFileSync(application.file, 'utf8')).toBe(text);
    }
    expect(existsSync(folder)).toBe(false);
  });

  test('a folder that may not be written to', async () => {
    const { application, mode } = await start();
    // Whoever runs the tests may write everywhere, so that only the answer can be had, not the right.
    const readOnly: Host = {
      ...host,
      run: (command) =>
        host.run(
          command.argv[0] === 'test' ? { ...command, argv: ['test', '-w', '/no/such'] } : command,
        ),
    };
    chmodSync(application.file, 0o440);
    const checks = await mode({}, readOnly).check();
    expect(checks.find(({ verdict }) => verdict === 'failed')?.id).toBe('app-writable');
    const prior = await mode().plan();
    expect((await failureIn(mode({}, readOnly).install(prior))).code).toBe('app-file-unwritable');
  });

  test.each<[string, Partial<AppModeSettings>]>([
    ['app-format', { file: '/etc/shop.conf' }],
    ['app-key', { key: 'A B' }],
    ['app-key', { format: 'python', key: 'a-b' }],
    ['app-value', { value: "it's \\ odd" }],
  ])('%s that cannot work is refused at once', async (name, over) => {
    const settings = (await start()).mode;
    const failure = await failureIn(Promise.resolve().then(() => settings(over)));
    expect(failure).toMatchObject({ code: 'app-setting', state: 'Nothing was touched.' });
    expect(`${failure.message} ${failure.next}`).toContain(name);
  });

  test('a record of something else is refused', async () => {
    const { mode } = await start();
    const prior = (await mode().plan()) as Record<string, unknown>;
    for (const other of [undefined, {}, { ...prior, version: 2 }, { ...prior, key: 'OTHER' }]) {
      expect((await failureIn(mode().install(other))).code).toBe('prior-unreadable');
    }
  });
});
