import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writePlan, type SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import {
  readStatus,
  runStep,
  runSteps,
  temporaryDatabases,
  windowSteps,
} from '../fixtures/window-run.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
}, 120_000);

afterAll(async () => {
  await site.stop();
});

const hasCurrency = () =>
  site.sql(
    "select count(*) from information_schema.columns where table_name = 'orders' and column_name = 'currency'",
  );
const placeOrder = async () => {
  const reply = await fetch(`${site.publicUrl}/orders`, {
    method: 'POST',
    body: JSON.stringify({
      reference: globalThis.crypto.randomUUID(),
      customerId: 1,
      items: [{ productId: 1, quantity: 1 }],
    }),
  });
  expect(reply.status).toBe(201);
};
/** Puts the end of what the newest archived window keeps into the past. */
async function forgetRetention({ stateDir, name }: SitePlan): Promise<void> {
  const history = join(stateDir, name, 'history');
  const newest = (await readdir(history)).sort().at(-1) ?? '';
  const file = join(history, newest, 'window.json');
  const text = await readFile(file, 'utf8');
  expect(text).toMatch(/"keptUntil": "20/);
  await writeFile(
    file,
    text.replace(/"keptUntil": "[^"]*"/, '"keptUntil": "2026-01-01T00:00:00Z"'),
  );
}

describe('rolling back after the report has closed the books', () => {
  test('needs consent, names the loss, and goes back to the verified backup', async () => {
    const plan = await writePlan(site);
    await runSteps(plan, windowSteps, { runId: '7001' });
    expect(await readStatus(plan)).toBeUndefined();
    expect(await temporaryDatabases(site)).toEqual([]);
    expect((await hasCurrency()).trim()).toBe('1');
    await placeOrder();

    const unasked = await runStep(plan, { entry: 'rollback' }, { runId: '7002' });
    expect([unasked.code, unasked.outputs.outcome]).toEqual([0, 'nothing']);

    const refused = await runStep(
      plan,
      { entry: 'rollback', inputs: { force: 'true' } },
      { runId: '7002' },
    );
    expect(refused.code).toBe(1);
    expect(refused.log).toMatch(/no restore point.*accept-data-loss/s);
    expect(refused.log).toContain('nothing was done');
    expect((await readStatus(plan))?.state).toBe('reopened');
    expect((await fetch(`${site.publicUrl}/healthz`)).status).toBe(200);
    expect((await hasCurrency()).trim()).toBe('1');

    const accepted = await runStep(
      plan,
      { entry: 'rollback', inputs: { force: 'true', 'accept-data-loss': 'true' } },
      { runId: '7002' },
    );
    expect([accepted.code, accepted.outputs.outcome]).toEqual([0, 'restored']);
    expect((await hasCurrency()).trim()).toBe('0');
    const health = await fetch(`${site.publicUrl}/healthz`);
    expect([health.status, health.headers.get('x-maintenance')]).toEqual([200, null]);
    expect(await temporaryDatabases(site)).toEqual([]);

    const report = await runStep(plan, { entry: 'report' }, { runId: '7002' });
    expect([report.code, report.outputs.state]).toEqual([0, 'rolled-back']);
  }, 240_000);

  test('goes back to a restore point that the plan keeps, which a later window drops when its time is over', async () => {
    const plan = await writePlan(site, {
      changes: [{ path: ['report', 'restore-point-retention'], value: '24h' }],
    });
    await runSteps(plan, windowSteps, { runId: '7003' });
    const [kept] = await temporaryDatabases(site);
    expect(kept).toMatch(/_restore_point$/);
    const back = await runStep(
      plan,
      { entry: 'rollback', inputs: { force: 'true', 'accept-data-loss': 'true' } },
      { runId: '7004' },
    );
    expect([back.code, back.outputs.outcome]).toEqual([0, 'restored']);
    expect((await hasCurrency()).trim()).toBe('0');
    await runStep(plan, { entry: 'report' }, { runId: '7004' });

    await runSteps(plan, windowSteps, { runId: '7005' });
    const [second, ...others] = await temporaryDatabases(site);
    expect(others).toEqual([]);
    await forgetRetention(plan);
    const plain = await writePlan(site);
    await runSteps(plain, windowSteps, { runId: '7006' });
    expect(await temporaryDatabases(site)).toEqual([]);
    expect(second).toMatch(/_restore_point$/);
  }, 240_000);
});
