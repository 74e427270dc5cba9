import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { reportAction } from '../../src/actions/report.ts';
import { smokeTestAction } from '../../src/actions/smoke-test.ts';
import type { Surroundings } from '../../src/assembly/surroundings.ts';
import { ProgressLines } from '../fixtures/memory-host.ts';

let folder: string;
let server: Server;
let publicUrl: string;
let isWell = true;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mw-smoke-action-'));
  server = createServer((_, response) => {
    response.writeHead(isWell ? 200 : 500, { 'content-type': 'text/html' });
    response.end('<!doctype html><title>Shop</title><link rel="icon" href="data:,"><h1>Open</h1>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const checks = `
- { id: health, kind: http, url: / }
- { id: front, kind: browser, url: /, title: Shop, selector: h1 }
- { id: elsewhere, kind: browser, url: /, executable: /nonexistent/chrome, optional: true }
- { id: each, kind: routing }
`;

function surroundings(inputs: Record<string, string>): Surroundings {
  return {
    inputs: {
      name: 'shop',
      'state-dir': join(folder, 'state'),
      'public-url': publicUrl,
      ...inputs,
    },
    environment: { ...process.env, RUNNER_TEMP: folder },
    workspace: folder,
    run: { id: '77', attempt: 1 },
    progress: new ProgressLines(),
    signal: new AbortController().signal,
    mask: () => undefined,
    github: undefined,
  };
}

describe('the action', () => {
  test('leaves JUnit XML and a picture, and the report has both', async () => {
    const tested = await smokeTestAction(
      surroundings({ checks, 'junit-file': 'results/junit.xml' }),
    );
    expect(tested.outcome).toMatchObject({
      kind: 'done',
      detail: '3 checks passed, 1 skipped (elsewhere)',
    });
    const file = join(folder, 'results/junit.xml');
    expect(tested.outputs).toMatchObject({ passed: '3', failed: '0', junit: file });
    const junit = readFileSync(file, 'utf8');
    expect(junit).toContain('tests="4" failures="0" errors="0" skipped="1"');
    expect(junit).toContain(
      '<skipped message="no Chromium (/nonexistent/chrome is no program on the runner)"/>',
    );

    const windowId = tested.outputs['window-id'] ?? '';
    const pictures = join(folder, 'state/shop/history', windowId, 'screenshots');
    expect(readdirSync(pictures)).toEqual(['1-front.png']);
    expect(statSync(join(pictures, '1-front.png')).mode & 0o777).toBe(0o600);

    const report = await reportAction(surroundings({ 'output-directory': 'report' }));
    expect(report.outcome).toMatchObject({ kind: 'done' });
    expect(readdirSync(join(folder, 'report')).sort()).toEqual([
      'report.html',
      'report.json',
      'report.junit.xml',
      'report.md',
      'screenshot-1-front.png',
    ]);
    const png = readFileSync(join(pictures, '1-front.png'));
    expect(readFileSync(join(folder, 'report/screenshot-1-front.png'))).toEqual(png);
    expect(readFileSync(join(folder, 'report/report.html'), 'utf8')).toContain(
      `<img src="data:image/png;base64,${png.toString('base64')}"`,
    );
    expect(readFileSync(join(folder, 'report/report.junit.xml'), 'utf8')).toBe(junit);
  });

  test('that fails leaves its results too, in the runner’s folder by default', async () => {
    isWell = false;
    const inputs = { checks: '- { id: health, kind: http, url: / }', deadline: '1ms' };
    const tested = await smokeTestAction(surroundings(inputs));
    expect(tested.outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'smoke-test-failed' },
    });
    expect(tested.outputs.junit?.startsWith(join(folder, 'maintenance-smoke-test-'))).toBe(true);
    expect(readFileSync(tested.outputs.junit ?? '', 'utf8')).toContain(
      '<failure message="status 500',
    );
  });

  test('whose results cannot be written says so, and keeps them in the record', async () => {
    isWell = true;
    writeFileSync(join(folder, 'a-file'), '');
    const inputs = {
      checks: '- { id: health, kind: http, url: / }',
      'junit-file': 'a-file/junit.xml',
    };
    const tested = await smokeTestAction(surroundings(inputs));
    expect(tested.outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'junit-not-written' },
    });
    expect(tested.outputs.passed).toBe('1');
  });
});
