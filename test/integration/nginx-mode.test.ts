import { existsSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
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

describe('closing and opening', () => {
  test('are idempotent, and the state tells them', async () => {
    const site = await start(plainSite);
    const mode = site.mode();
    expect((await failureIn(mode.close())).code).toBe('nginx-hook-missing');
    const prior = await mode.plan();
    expect(await mode.installed(prior)).toBe(false);
    expect(existsSync(site.folder)).toBe(false);
    await mode.install(prior);
    await mode.install(prior);
    expect(await mode.state()).toEqual({ kind: 'open' });
    await mode.open();
    await mode.close();
    await mode.close();
    expect(await mode.state()).toEqual({ kind: 'closed', windowId: 'window-1' });
    expect(await mode.installed(prior)).toBe(true);
    expect((await failureIn(mode.restore(prior))).code).toBe('nginx-still-closed');
    expect((await site.ask()).status).toBe(503);
    await mode.open();
    await mode.open();
    expect(await isOpen(site)).toBe(true);
    expect(statSync(join(site.folder, 'server.conf')).mode & 0o777).toBe(0o600);
    expect(statSync(join(site.folder, 'original')).mode & 0o777).toBe(0o700);
    await mode.restore(prior);
    expect(existsSync(site.folder)).toBe(false);
  });

  test('do not touch a request that is under way, even when nginx redirects it internally', async () => {
    const site = await start(plainSite);
    const mode = site.mode();
    await mode.install(await mode.plan());
    const hold = site.hold();
    const answered = site.ask({
      method: 'POST',
      body: 'x',
      headers: { 'x-answer-with': '/moved' },
    });
    await hold.arrived;
    await mode.close();
    expect((await site.ask()).status).toBe(503);
    hold.release();
    expect(await answered).toMatchObject({ status: 200, body: 'moved' });
  });

  test('never touch the flag of somebody else', async () => {
    const site = await start(plainSite);
    const mode = site.mode();
    const prior = await mode.plan();
    await mode.install(prior);
    const another = site.mode({ windowId: 'window-2' });
    await another.close();
    for (const action of [
      () => mode.close(),
      () => mode.open(),
      () => mode.restore(prior),
      () => mode.install(prior),
    ]) {
      const failure = await failureIn(action());
      expect(failure.code).toBe('closed-by-another');
      expect(failure.message).toContain('window-2');
    }
    expect(await mode.state()).toEqual({ kind: 'closed-by-another', holder: 'window-2' });
    expect(await mode.check()).toContainEqual(
      expect.objectContaining({ id: 'nginx-flag', verdict: 'failed', value: 'closed by window-2' }),
    );
    expect((await site.ask()).status).toBe(503);
    await another.open();
    expect(await mode.restore(prior)).toMatchObject({ kind: 'restored' });
    expect(await isOpen(site)).toBe(true);
  });

  test('concern the chosen blocks only, and the internal paths answer nobody from outside', async () => {
    const two: SiteShape = {
      name: 'shop',
      render: ({ port, app }) =>
        `server { listen 127.0.0.1:${port}; server_name Shop.test www.shop.test; location / { proxy_pass http://${app}; } }\n` +
        `server { listen 127.0.0.1:${port}; server_name admin.test; return 200 "admin"; }\n`,
    };
    const site = await start(two, otherSite);
    const mode = site.mode({ servers: ['shop.test'] });
    const prior = (await mode.plan()) as NginxPrior;
    expect(prior.files.map(({ path }) => path)).toEqual([site.server.siteFile]);
    await mode.install(prior);
    await mode.close();
    expect((await site.ask({ headers: { host: 'www.shop.test' } })).status).toBe(503);
    expect((await site.ask({ headers: { host: 'admin.test' } })).body).toBe('admin');
    expect((await site.ask({ site: 'other' })).body).toBe('other');
    await mode.open();
    for (const kind of ['page', 'json', 'probe']) {
      const path = `/.maintenance-window/${prior.hookId}/${kind}`;
      expect((await site.ask({ path, headers: { host: 'shop.test' } })).status).toBe(404);
    }
    const failure = await failureIn(site.mode({ servers: ['www.shop.tets'] }).plan());
    expect(failure.code).toBe('nginx-unknown-server');
    expect(failure.message).toContain('did you mean www.shop.test?');
  });

  test("show the user's own page, whatever is in it", async () => {
    const site = await start(plainSite);
    const page = `<!doctype html><title>$</title><style>a::after { content: "$"; }</style>\n${'日本 "größer" \\ \\n 😀 '.repeat(3800)}`;
    expect(Buffer.byteLength(page)).toBeGreaterThan(100_000);
    const file = join(site.server.folder, 'page.html');
    writeFileSync(file, page);
    const mode = site.mode({ pageFile: file });
    await mode.install(await mode.plan());
    await mode.close();
    const { body } = await site.ask({ headers: { accept: 'text/html' } });
    expect(body).toBe(page.replace('$', '&#36;').replace('$', String.raw`\24 `));
    // Names of variables, ours with a random part, now and then share a slot of nginx's table; it does no harm.
    const log = readFileSync(join(site.server.logFolder, 'error.log'), 'utf8')
      .split('\n')
      .filter((line) => !line.includes('could not build optimal variables_hash'));
    expect(log.filter((line) => /\[(?:warn|emerg)\]/.test(line))).toEqual([]);
  });
});

describe('putting the hook in', () => {
  test('refuses a configuration that is broken already, and touches nothing', async () => {
    const site = await start(plainSite);
    const mode = site.mode();
    const prior = await mode.plan();
    writeFileSync(join(site.server.folder, 'sites', 'zz.conf'), 'no_such_directive;\n');
    const before = readFileSync(site.server.siteFile);
    for (const action of [() => mode.plan(), () => mode.install(prior)]) {
      const failure = await failureIn(action());
      expect(failure.code).toBe('nginx-already-broken');
      expect(failure.message).toContain('no_such_directive');
    }
    expect(readFileSync(site.server.siteFile)).toEqual(before);
    expect(existsSync(site.folder)).toBe(false);
  });

  test('gives the original bytes back when nginx refuses the hook', async () => {
    const site = await start({
      name: 'shop',
      render: ({ port }) =>
        `server { listen 127.0.0.1:${port}; open_file_cache off; return 200 "x"; }`,
    });
    const mode = site.mode();
    const before = readFileSync(site.server.siteFile);
    const prior = { ...((await mode.plan()) as NginxPrior), openFileCacheOff: true };
    const failure = await failureIn(mode.install(prior));
    expect(failure.code).toBe('nginx-refused-hook');
    expect(failure.message).toContain('"open_file_cache" directive is duplicate');
    expect(readFileSync(site.server.siteFile)).toEqual(before);
    expect(existsSync(site.folder)).toBe(false);
  });

  test('undoes everything when the public URL does not answer from the hook', async () => {
    const site = await start(plainSite, otherSite);
    const before = readFileSync(site.server.siteFile);
    const mode = site.mode({
      siteFiles: [site.server.siteFile],
      publicUrl: `http://127.0.0.1:${site.server.sites[1]!.port}/`,
      proof: { answers: 3, seconds: 0.5 },
    });
    const failure = await failureIn(mode.install(await mode.plan()));
    expect(failure.code).toBe('nginx-hook-not-live');
    expect(readFileSync(site.server.siteFile)).toEqual(before);
    expect(existsSync(site.folder)).toBe(false);
    expect(await isOpen(site)).toBe(true);
  });

  test('undoes everything when nginx cannot be told to reload, and tells no secret', async () => {
    const site = await start(plainSite);
    const before = readFileSync(site.server.siteFile);
    const mode = site.mode({
      reloadCommand: ['/bin/sh', '-c', 'echo "token secret-token-of-header" >&2; exit 3'],
      bypassHeader: { name: 'X-A', token: 'secret-token-of-header' },
    });
    const failure = await failureIn(mode.install(await mode.plan()));
    expect(failure).toMatchObject({ code: 'nginx-reload-failed' });
    expect(failure.message).toContain('token ***');
    expect(readFileSync(site.server.siteFile)).toEqual(before);
    expect(existsSync(site.folder)).toBe(false);
  });

  test("notices that nginx's workers cannot see the flag", async () => {
    const site = await start(plainSite);
    const state = join(site.server.folder, 'state');
    await mkdir(state);
    await chmod(state, 0o700);
    const mode = site.mode({ proof: { answers: 3, seconds: 0.5 } });
    expect(await mode.check()).toContainEqual(
      expect.objectContaining({ id: 'nginx-folder', verdict: 'warning' }),
    );
    const prior = await mode.plan();
    if (process.getuid?.() === 0) {
      // The workers run as another user.
      const failure = await failureIn(mode.install(prior));
      expect(failure.code).toBe('nginx-hook-not-live');
      expect(failure.message).toContain('cannot see into its folder');
      expect(failure.next).toContain('chmod o+x');
      await chmod(state, 0o711);
    }
    await mode.install(prior);
    expect(await mode.installed(prior)).toBe(true);
    await rm(folderPaths(site.folder).probe);
    expect(await mode.installed(prior)).toBe(false);
  });

  test('finds the blocks of a whole configuration, and reads one that is larger than 8 MiB', async () => {
    const site = await start(plainSite);
    const { configurationFile, siteFile, folder } = site.server;
    const list = join(folder, 'list.conf');
    writeFileSync(list, `# ${'x'.repeat(98)}\n`.repeat(90_000));
    const original = readFileSync(configurationFile, 'utf8')
      .replace(/include ".*";/, `include ${list};\n    ${readFileSync(siteFile, 'utf8')}`)
      .concat('# stream { server { } }\n');
    writeFileSync(configurationFile, original);
    await site.server.reload();
    const mode = site.mode({ siteFiles: [configurationFile] });
    const prior = await mode.plan();
    await mode.install(prior);
    await mode.close();
    expect((await site.ask()).status).toBe(503);
    await mode.open();
    expect(await mode.restore(prior)).toMatchObject({ kind: 'restored' });
    expect(readFileSync(configurationFile, 'utf8')).toBe(original);
  });

  test('follows a symbolic link and leaves it one', async () => {
    const site = await start(plainSite);
    const { siteFile } = site.server;
    const available = join(site.server.folder, 'shop-available');
    await rename(siteFile, available);
    symlinkSync(available, siteFile);
    const before = readFileSync(available);
    // Named twice, by the link and by the file.
    const mode = site.mode({ siteFiles: [siteFile, available] });
    const prior = (await mode.plan()) as NginxPrior;
    expect(prior.files).toMatchObject([{ path: siteFile, realPath: available }]);
    await mode.install(prior);
    expect(lstatSync(siteFile).isSymbolicLink()).toBe(true);
    expect(readFileSync(available, 'utf8').match(/include/g)).toHaveLength(1);
    expect(await mode.restore(prior)).toMatchObject({ kind: 'restored' });
    expect(lstatSync(siteFile).isSymbolicLink()).toBe(true);
    expect(readFileSync(available)).toEqual(before);
  });

  test('refuses a file that somebody changed since it was planned', async () => {
    const site = await start(plainSite);
    const mode = site.mode();
    const prior = await mode.plan();
    const edited = `# edited\n${readFileSync(site.server.siteFile, 'utf8')}`;
    writeFileSync(site.server.siteFile, edited);
    expect((await failureIn(mode.install(prior))).code).toBe('nginx-site-changed');
    expect(readFileSync(site.server.siteFile, 'utf8')).toBe(edited);
    expect(existsSync(site.folder)).toBe(false);
  });
});

describe('checks', () => {
  const verdictOf = async (
    site: NginxSite,
    id: string,
    changed: Parameters<NginxSite['mode']>[0],
  ) => (await site.mode(changed).check()).find((check) => check.id === id);

  test('refuse what could not work, each with a next step', async () => {
    const site = await start(
      {
        name: 'shop',
        render: ({ port }) =>
          `server { listen 127.0.0.1:${port}; open_file_cache max=10; return 200 "x"; }`,
      },
      otherSite,
    );
    const { folder } = site.server;
    writeFileSync(join(folder, 'page.html'), '<script>$</script>');
    writeFileSync(join(folder, 'unused'), 'server { listen 1; }');
    writeFileSync(join(folder, 'upstreams'), 'upstream a { server 127.0.0.1:1; }');
    for (const [id, changed, value] of [
      ['nginx-version', { nginxCommand: ['/no/such/nginx'] }, '/no/such/nginx'],
      [
        'nginx-config',
        { nginxCommand: [site.server.command[0], '-c', '/no/such.conf'] },
        'such.conf',
      ],
      ['nginx-site-files', { siteFiles: ['/no/such/site'] }, '/no/such/site'],
      ['nginx-site-files', { siteFiles: [join(folder, 'upstreams')] }, 'upstreams'],
      ['nginx-site-files', { servers: ['shop.test'] }, 'shop.test'],
      ['nginx-open-file-cache', {}, 'open_file_cache'],
      ['nginx-open-file-cache', { siteFiles: [join(folder, 'unused')] }, 'unused'],
      ['nginx-page', { pageFile: join(folder, 'page.html') }, 'page.html'],
      ['nginx-page', { pageFile: '/no/such/page' }, '/no/such/page'],
    ] as const) {
      const check = await verdictOf(site, id, changed);
      expect(check).toMatchObject({ id, verdict: 'failed', next: expect.any(String) });
      expect(check!.value).toContain(value);
    }
    expect(await verdictOf(site, 'nginx-bypass', { bypassHeader: undefined })).toMatchObject({
      verdict: 'warning',
    });
    expect(existsSync(site.folder)).toBe(false);
  });
});
