import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { failureOf, type Failure } from '../../src/ports/failure.ts';
import { folderPaths } from '../../src/modes/nginx/snippet.ts';
import type { NginxPrior } from '../../src/modes/nginx/prior.ts';
import {
  otherSite,
  plainSite,
  startNginxSite,
  type NginxSite,
  type SiteShape,
} from '../fixtures/nginx-site.ts';

const started: NginxSite[] = [];
afterEach(async () => {
  for (const site of started.splice(0)) await site.stop();
});

async function start(...shapes: [SiteShape, ...SiteShape[]]): Promise<NginxSite> {
  const site = await startNginxSite(...shapes);
  started.push(site);
  return site;
}

async function failureIn(action: Promise<unknown>): Promise<Failure> {
  return action.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => failureOf(error),
  );
}

const isOpen = async (site: NginxSite) => (await site.ask()).body === 'app GET / 0 bytes';

describe('a run that was killed', () => {
  async function planned() {
    const site = await start(plainSite);
    const mode = site.mode();
    const original = readFileSync(site.server.siteFile, 'utf8');
    const prior = (await mode.plan()) as NginxPrior;
    const file = prior.files[0]!;
    const hooked =
      original.slice(0, file.insertions[0]!.offset) +
      file.insertions[0]!.text +
      original.slice(file.insertions[0]!.offset);
    return { site, mode, original, prior, hooked };
  }
  type Planned = Awaited<ReturnType<typeof planned>>;

  /** What `install` leaves when it is killed at that point, made by hand or by a whole `install`. */
  const kills: [string, (state: Planned) => Promise<void>][] = [
    [
      'after its folder was made, with a temporary file beside the site file',
      async ({ site }) => {
        await mkdir(join(site.folder, 'original'), { recursive: true });
        const name = `.shop.conf.999999999-${'a'.repeat(24)}.tmp`;
        writeFileSync(join(site.server.folder, 'sites', name), 'half');
      },
    ],
    [
      'after the snippet was written',
      async ({ site, mode, original, prior }) => {
        await mode.install(prior);
        writeFileSync(site.server.siteFile, original);
        await site.server.reload();
      },
    ],
    [
      'after the site file was written, before the reload',
      async ({ site, mode, original, prior, hooked }) => {
        await mode.install(prior);
        writeFileSync(site.server.siteFile, original);
        await site.server.reload();
        writeFileSync(site.server.siteFile, hooked);
      },
    ],
    ['after the reload', async ({ mode, prior }) => mode.install(prior)],
    [
      'while it took the hook out, before the reload',
      async ({ site, mode, original, prior }) => {
        await mode.install(prior);
        writeFileSync(site.server.siteFile, original);
      },
    ],
    [
      'while it took the hook out, after the reload',
      async ({ site, mode, original, prior }) => {
        await mode.install(prior);
        writeFileSync(site.server.siteFile, original);
        await site.server.reload();
        await rm(folderPaths(site.folder).snippet);
      },
    ],
  ];

  const expectNoTrace = async ({ site, original }: Planned) => {
    expect(readFileSync(site.server.siteFile, 'utf8')).toBe(original);
    expect(existsSync(site.folder)).toBe(false);
    expect(readdirSync(join(site.server.folder, 'sites'))).toEqual(['shop.conf']);
    expect(await isOpen(site)).toBe(true);
  };

  test.each(kills)('%s, is undone by restore', async (_, kill) => {
    const state = await planned();
    await kill(state);
    expect(['restored', 'nothing-to-do']).toContain((await state.mode.restore(state.prior)).kind);
    await expectNoTrace(state);
  });

  test.each(kills)('%s, goes on when it runs again', async (_, kill) => {
    const state = await planned();
    await kill(state);
    await state.mode.install(state.prior);
    expect(await state.mode.installed(state.prior)).toBe(true);
    expect(readFileSync(state.site.server.siteFile, 'utf8')).toBe(state.hooked);
    await state.mode.close();
    expect((await state.site.ask()).status).toBe(503);
    await state.mode.open();
    expect(await state.mode.restore(state.prior)).toMatchObject({ kind: 'restored' });
    await expectNoTrace(state);
  });
});

describe('a hook that an earlier window left', () => {
  test('is taken over, not put in twice, and goes with the line of this window', async () => {
    const site = await start(plainSite);
    const original = readFileSync(site.server.siteFile);
    const first = site.mode();
    await first.install(await first.plan());

    const second = site.mode({ windowId: 'window-2' });
    const prior = (await second.plan()) as NginxPrior;
    expect(prior.files).toMatchObject([{ hookedBefore: true }]);
    expect(prior.snippetBefore).toMatch(/^[0-9a-f]{64}$/);
    expect(await second.installed(prior)).toBe(false);
    await second.install(prior);
    expect(readFileSync(site.server.siteFile, 'utf8').match(/include/g)).toHaveLength(1);
    await second.close();
    expect((await site.ask()).headers['x-maintenance']).toBe('window-2');
    await second.open();
    const restoration = await second.restore(prior);
    expect(restoration).toMatchObject({ kind: 'restored' });
    expect(restoration).toHaveProperty('detail', expect.stringContaining('earlier window'));
    expect(readFileSync(site.server.siteFile)).toEqual(original);
    expect(existsSync(site.folder)).toBe(false);
  });

  test('comes back as it was when this window cannot put in its own', async () => {
    const site = await start(plainSite);
    const first = site.mode();
    const earlier = await first.plan();
    await first.install(earlier);
    const second = site.mode({ windowId: 'window-2', reloadCommand: ['/bin/false'] });
    expect((await failureIn(second.install(await second.plan()))).code).toBe('nginx-reload-failed');
    expect(await first.installed(earlier)).toBe(true);
    await first.close();
    expect((await site.ask()).headers['x-maintenance']).toBe('window-1');
  });

  test('in a file that this window does not name is refused', async () => {
    const site = await start(plainSite, otherSite);
    const both = site.mode();
    await both.install(await both.plan());
    const one = site.mode({ siteFiles: [site.server.siteFile] });
    const failure = await failureIn(one.plan());
    expect(failure.code).toBe('nginx-stray-hook');
    expect(failure.message).toContain('other.conf');
    expect(await one.check()).toContainEqual(
      expect.objectContaining({ id: 'nginx-stray-hook', verdict: 'failed' }),
    );
  });
});

describe('giving back', () => {
  test('takes only our line out of a file that was edited meanwhile, and says so', async () => {
    const site = await start(plainSite, otherSite);
    const mode = site.mode();
    const original = readFileSync(site.server.siteFile, 'utf8');
    const prior = await mode.plan();
    await mode.install(prior);
    const edited = readFileSync(site.server.siteFile, 'utf8').replace(
      'location /',
      '# mine\n  location /',
    );
    writeFileSync(site.server.siteFile, edited);
    await chmod(site.server.siteFile, 0o640);
    const restoration = await mode.restore(prior);
    expect(restoration.kind).toBe('partly-restored');
    expect(restoration).toHaveProperty('detail', expect.stringContaining(site.server.siteFile));
    expect(readFileSync(site.server.siteFile, 'utf8')).toBe(
      original.replace('location /', '# mine\n  location /'),
    );
    expect(statSync(site.server.siteFile).mode & 0o777).toBe(0o640);
    expect(await isOpen(site)).toBe(true);
    expect(existsSync(site.folder)).toBe(false);
    // Again: there is nothing of ours, and it still says that the file is not what it was.
    expect((await mode.restore(prior)).kind).toBe('partly-restored');
  });

  test('puts everything back as found when nginx refuses it without the hook', async () => {
    const site = await start(plainSite);
    const mode = site.mode();
    const prior = await mode.plan();
    await mode.install(prior);
    const hooked = readFileSync(site.server.siteFile);
    const broken = join(site.server.folder, 'sites', 'zz.conf');
    writeFileSync(broken, 'no_such_directive;\n');
    const failure = await failureIn(mode.restore(prior));
    expect(failure.code).toBe('nginx-refused-original');
    expect(failure.message).toContain('no_such_directive');
    expect(readFileSync(site.server.siteFile)).toEqual(hooked);
    expect(await mode.installed(prior)).toBe(true);
    await rm(broken);
    expect(await mode.restore(prior)).toMatchObject({ kind: 'restored' });
  });
});
