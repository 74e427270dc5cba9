import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { nodeProgram } from '../../rehearsal/node-program.ts';
import { startSampler, startTraffic } from '../../rehearsal/public-traffic.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import type { TrafficRequest } from '../../rehearsal/traffic-report.ts';

const run = promisify(execFile);

/** Processes that work in a folder, be it there or deleted. */
function processesIn(folder: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${name}/status`, 'utf8'))) return false;
      const workingFolder = readlinkSync(`/proc/${name}/cwd`);
      return workingFolder === folder || workingFolder.startsWith(`${folder}/`);
    } catch {
      return false; // It has just ended, or is somebody else's.
    }
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function until(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (await condition()) return true;
    await pause(20);
  }
  return false;
}

async function health(site: Site): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${site.publicUrl}/healthz`);
  return { status: response.status, body: await response.json() };
}

async function placeOrder(site: Site, order: object): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${site.publicUrl}/orders`, {
    method: 'POST',
    body: JSON.stringify(order),
  });
  return { status: response.status, body: await response.json() };
}

async function migrate(site: Site, folder: string): Promise<void> {
  const path = join(site.shopFolder, folder);
  for (const name of (await readdir(path)).sort()) {
    await site.sql(`begin;\n${await readFile(join(path, name), 'utf8')}\ncommit;`);
  }
}

const isOrder = ({ outcome }: TrafficRequest) =>
  outcome.kind === 'answered' && outcome.order !== undefined;

describe('a site', () => {
  let site: Site;

  beforeAll(async () => {
    site = await startSite({ megabytes: 2 });
  });

  afterAll(async () => {
    await site.stop();
  });

  test('is healthy, and serves pages, products and files through nginx', async () => {
    expect(await health(site)).toEqual({
      status: 200,
      body: { status: 'ok', database: 'ok', schema: 1 },
    });
    const page = await fetch(site.publicUrl);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await page.text()).toContain('<a href="/products/');
    const product = await fetch(`${site.publicUrl}/products/1`);
    expect(await product.json()).toMatchObject({ id: 1, stock: expect.any(Number) });
    const style = await fetch(`${site.publicUrl}/static/shop.css`);
    expect(style.headers.get('content-type')).toBe('text/css');
    expect((await fetch(`${site.publicUrl}/nothing`)).status).toBe(404);
  });

  test('writes an order once, however often it is sent', async () => {
    const order = {
      reference: randomUUID(),
      customerId: 5,
      items: [
        { productId: 9, quantity: 2 },
        { productId: 3, quantity: 1 },
      ],
    };
    const answers = await Promise.all([placeOrder(site, order), placeOrder(site, order)]);
    const [first, second] = answers;
    expect(first.status).toBe(201);
    expect(second).toEqual(first);
    const { id } = first.body as { id: number };
    const written = await fetch(`${site.publicUrl}/orders/${id}`);
    expect(await written.json()).toMatchObject({
      id,
      reference: order.reference,
      customerId: 5,
      items: [
        { productId: 3, quantity: 1 },
        { productId: 9, quantity: 2 },
      ],
    });
    expect(await site.sql(`select count(*) from events where order_id = ${id}`)).toBe('1');
  });

  test('refuses an order that cannot be, and writes nothing of it', async () => {
    const before = await site.sql('select sum(stock) from products');
    const refused = await placeOrder(site, {
      reference: randomUUID(),
      customerId: 5,
      items: [
        { productId: 1, quantity: 1 },
        { productId: 999_999, quantity: 1 },
      ],
    });
    expect(refused.status).toBe(422);
    expect(refused.body).toEqual({ error: 'Product 999999: unknown, or fewer than 1 left.' });
    expect(await site.sql('select sum(stock) from products')).toBe(before);
  });

  test('loses no request when its database sessions are ended', async () => {
    const traffic = startTraffic({ url: site.publicUrl, clients: 6, thinkMilliseconds: 5 });
    try {
      for (let round = 0; round < 3; round += 1) {
        await traffic.next(isOrder);
        const ended = await site.cluster.psql(
          `select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = '${site.databaseName}'`,
        );
        expect(Number(ended)).toBeGreaterThan(0);
        const asked = performance.timeOrigin + performance.now();
        await traffic.next((request) => isOrder(request) && request.startedAt > asked);
      }
      const report = await traffic.stop();
      expect(report.lost).toEqual([]);
      expect(report.unexpected).toEqual([]);
      expect(report.orders.length).toBeGreaterThan(3);
      expect(await site.missingOrders(report.orders.map(({ reference }) => reference))).toEqual([]);
      expect(site.application.isRunning()).toBe(true);
    } finally {
      await traffic.stop();
    }
  });

  test('loses no request when its database is replaced under its name', async () => {
    const traffic = startTraffic({ url: site.publicUrl, clients: 4, thinkMilliseconds: 5 });
    try {
      await traffic.next(isOrder);
      await site.cluster.psql(`
        alter database shop allow_connections false;
        select pg_terminate_backend(pid) from pg_stat_activity where datname = 'shop';
        create database shop_next template shop owner shop;
        alter database shop rename to shop_before;
        alter database shop_next rename to shop;
      `);
      const asked = performance.timeOrigin + performance.now();
      await traffic.next((request) => isOrder(request) && request.startedAt > asked);
      const report = await traffic.stop();
      expect(report.lost).toEqual([]);
      expect(report.unexpected).toEqual([]);
      expect(await site.missingOrders(report.orders.map(({ reference }) => reference))).toEqual([]);
    } finally {
      await traffic.stop();
    }
  });

  test('reports a missing order as missing', async () => {
    const reference = randomUUID();
    expect(await site.missingOrders([reference])).toEqual([reference]);
  });

  test('lets the sampler see to the request when the site closes and opens', async () => {
    const flag = join(site.workFolder, 'closed');
    const original = await readFile(site.webServer.siteFile, 'utf8');
    const hook = `
    set $closed 0;
    if (-f "${flag}") { set $closed 1; }
    if ($closed) { return 503; }
    error_page 503 @closed;
    location @closed { add_header X-Maintenance w1 always; return 503 "closed"; }
`;
    await writeFile(site.webServer.siteFile, original.replace('server_name', `${hook}server_name`));
    await site.webServer.reload();
    const sampler = startSampler({ url: site.publicUrl });
    const sees = (status: number) => (request: TrafficRequest) =>
      request.outcome.kind === 'answered' && request.outcome.status === status;
    try {
      for (let round = 0; round < 2; round += 1) {
        await sampler.next(sees(200));
        await writeFile(flag, '');
        await sampler.next(sees(503));
        await rm(flag);
        await sampler.next(sees(200));
      }
      const report = await sampler.stop();
      expect(report.closures).toHaveLength(2);
      expect(report.closures[0]).toMatchObject({ windows: ['w1'], successesMeanwhile: 0 });
      expect(report.unexpected).toEqual([]);
    } finally {
      await sampler.stop();
      await rm(flag, { force: true });
      await writeFile(site.webServer.siteFile, original);
      await site.webServer.reload();
    }
  });

  test('refuses to reload a broken configuration and goes on serving', async () => {
    const original = await readFile(site.webServer.siteFile, 'utf8');
    await writeFile(site.webServer.siteFile, `${original}\nnonsense;\n`);
    await expect(site.webServer.reload()).rejects.toThrow('unknown directive "nonsense"');
    await writeFile(site.webServer.siteFile, original);
    expect((await health(site)).status).toBe(200);
    const [program, ...args] = site.webServer.command;
    expect((await run(program, [...args, '-t'])).stderr).toContain('test is successful');
  });

  test('the failing migrations change data first, the good ones bring the schema to 3', async () => {
    await expect(migrate(site, 'migrations-failing')).rejects.toThrow(
      'could not create unique index "customers_email"',
    );
    expect(await site.sql('select count(*) from products where price_cents % 10 <> 9')).toBe('0');
    expect((await health(site)).body).toMatchObject({ status: 'ok', schema: 2 });

    await migrate(site, 'migrations');
    expect((await health(site)).body).toEqual({ status: 'ok', database: 'ok', schema: 3 });
    const order = {
      reference: randomUUID(),
      customerId: 1,
      items: [{ productId: 1, quantity: 1 }],
    };
    expect((await placeOrder(site, order)).status).toBe(201);
    expect(await site.sql('select count(distinct currency) from orders')).toBe('3');
    expect(Number(await site.sql('select sum(pieces) from product_sales'))).toBeGreaterThan(800);
  });

  test('the checkout-breaking migration succeeds, and the health check notices', async () => {
    await migrate(site, 'migrations-breaking-checkout');
    expect(await health(site)).toEqual({
      status: 503,
      body: {
        status: 'failing',
        database: 'ok',
        schema: 2,
        reason: 'column p.price_cents does not exist',
      },
    });
    const order = {
      reference: randomUUID(),
      customerId: 1,
      items: [{ productId: 1, quantity: 1 }],
    };
    expect((await placeOrder(site, order)).status).toBe(500);
  });

  test('says so when its database is gone', async () => {
    await site.cluster.psql(`
      alter database shop allow_connections false;
      select pg_terminate_backend(pid) from pg_stat_activity where datname = 'shop';
    `);
    const gone = await health(site);
    expect(gone.status).toBe(503);
    expect(gone.body).toMatchObject({ status: 'failing', database: 'unavailable' });
    await site.cluster.psql('alter database shop allow_connections true');
    const isBack = async () =>
      ((await health(site)).body as { database: string }).database === 'ok';
    expect(await until(isBack)).toBe(true);
  });
});

describe('sites beside each other', () => {
  test('do not collide, and stopping leaves no process and no folder', async () => {
    const sites = await Promise.all([startSite({ megabytes: 1 }), startSite({ megabytes: 1 })]);
    try {
      const [one, other] = sites;
      const ports = sites.flatMap((site) => [
        site.cluster.port,
        site.application.port,
        site.webServer.port,
      ]);
      expect(new Set(ports).size).toBe(6);
      const order = {
        reference: randomUUID(),
        customerId: 1,
        items: [{ productId: 1, quantity: 1 }],
      };
      expect((await placeOrder(one, order)).status).toBe(201);
      expect(await one.missingOrders([order.reference])).toEqual([]);
      expect(await other.missingOrders([order.reference])).toEqual([order.reference]);

      expect(processesIn(one.folder)).toEqual(
        expect.arrayContaining(
          [one.cluster.pid, one.application.pid, one.webServer.pid].map(String),
        ),
      );
      await one.stop();
      expect(processesIn(one.folder)).toEqual([]);
      expect(await exists(one.folder)).toBe(false);
      expect((await health(other)).status).toBe(200);
    } finally {
      for (const site of sites) await site.stop();
    }
    for (const site of sites) {
      expect(processesIn(site.folder)).toEqual([]);
      expect(await exists(site.folder)).toBe(false);
    }
  });

  test('a folder for it can be named, and stays', async () => {
    const parent = await startSite({ megabytes: 1 });
    try {
      const own = join(parent.workFolder, 'sites');
      await mkdir(own);
      const child = await startSite({ megabytes: 1, folder: own });
      expect(child.folder.startsWith(`${own}/`)).toBe(true);
      await child.stop();
      expect(await readdir(own)).toEqual([]);
    } finally {
      await parent.stop();
    }
  });

  test('refuses a size that is none', async () => {
    await expect(startSite({ megabytes: 0 })).rejects.toThrow('a whole number from 1 is accepted');
  });
});

describe('a rehearsal that ends early', () => {
  const modules = new URL('../../rehearsal/', import.meta.url).href;

  /** Starts a process of its own that has a site, and waits until it is there. */
  async function startRehearsal(afterwards: string) {
    const code = `
      import { withSite } from '${modules}with-site.ts';
      await withSite({ megabytes: 1 }, async (site, signal) => {
        console.log(site.folder);
        ${afterwards}
      });`;
    const child = spawn(nodeProgram(), ['--no-warnings', '--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
      child.once('close', (exitCode, signal) => resolve({ code: exitCode, signal })),
    );
    const lines = createInterface({ input: child.stdout });
    const folder = await new Promise<string>((resolve) => lines.once('line', resolve));
    return { child, ended, folder };
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('by %s has cleaned up when it ends', async (signal) => {
    const { child, ended, folder } = await startRehearsal(
      `await new Promise((resolve) => {
         const alive = setInterval(() => undefined, 1000);
         signal.addEventListener('abort', () => { clearInterval(alive); resolve(); });
       });`,
    );
    expect(processesIn(folder).length).toBeGreaterThan(3);
    child.kill(signal);
    await ended;
    expect(processesIn(folder)).toEqual([]);
    expect(await exists(folder)).toBe(false);
  });

  test.each([
    ['SIGKILL', `process.kill(process.pid, 'SIGKILL');`],
    ['a crash', `setTimeout(() => { throw new Error('crash'); }); await new Promise(() => {});`],
    ['process.exit', `process.exit(3);`],
  ])('by %s is cleaned up by the guardian', async (_name, afterwards) => {
    const { ended, folder } = await startRehearsal(afterwards);
    await ended;
    expect(await until(() => processesIn(folder).length === 0)).toBe(true);
    expect(await until(async () => !(await exists(folder)))).toBe(true);
  });
});
