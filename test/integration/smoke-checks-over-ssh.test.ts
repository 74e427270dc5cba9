import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { markLogs } from '../../src/phases/smoke-checks/log-marks.ts';
import { runChecks } from '../../src/phases/smoke-test.ts';
import type { SmokeResult } from '../../src/record/status.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { hostKinds, type OpenHosts } from '../fixtures/host-kinds.ts';

/** Two shells stand between us and the program here: the user's own, and sudo's environment. */
const kind = hostKinds.find(({ name }) => name === 'ssh by sudo');
let hosts: OpenHosts;
let folder: string;
let server: Server;

beforeAll(async () => {
  if (kind === undefined) throw new Error('there is no such kind of host');
  hosts = await kind.open();
  folder = mkdtempSync(join(tmpdir(), 'mw checks $(touch ssh) '));
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('+OK ready\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await hosts.close();
  rmSync(folder, { recursive: true });
});

async function context(check: Record<string, unknown>): Promise<PhaseContext> {
  const made = await new FakeWorld().contextOf(
    {},
    { plan: { 'smoke-test': { checks: [{ id: 'it', ...check }], deadline: '1ms' } } },
  );
  return { ...made, fleet: { ...made.fleet, control: hosts.host }, clock: systemClock() };
}

async function look(made: PhaseContext): Promise<SmokeResult> {
  const [result] = await runChecks(made);
  if (result === undefined) throw new Error('there is no result');
  return result;
}

describe('on a host over SSH', () => {
  test('a log is followed across a rotation; neither path nor pattern is read by a shell', async () => {
    const log = join(folder, `it's $(touch pwned) "the" log`);
    const pwned = [join(folder, 'pwned'), 'pwned', '/pwned', '/root/pwned'];
    writeFileSync(log, 'old "; touch pwned; "\n');
    const pattern = `"; touch pwned; "|'\\$\\(touch pwned\\)'`;
    const made = await context({ kind: 'log', file: log, pattern, 'show-lines': 2 });
    await markLogs(made, 'window');
    expect(await look(made)).toMatchObject({ passed: true });
    appendFileSync(log, `first "; touch pwned; "\n`);
    renameSync(log, `${log}.1`);
    writeFileSync(log, `second '$(touch pwned)'\n`);
    expect(await look(made)).toMatchObject({
      passed: false,
      observed: expect.stringMatching(
        /^2 new lines match, .*, across a rotation, the first: "first /,
      ),
    });
    expect(pwned.filter((path) => existsSync(path))).toEqual([]);
  });

  test('a command gets its arguments as they are', async () => {
    const odd = `a "b" 'c' $(d) \`e\` \\ ; * \n f`;
    const made = await context({
      kind: 'command',
      command: ['printf', '%s', odd],
      'stdout-contains': odd,
      'working-directory': folder,
    });
    expect(await look(made)).toMatchObject({ passed: true });
  });

  test('a port is connected to from there', async () => {
    const { port } = server.address() as AddressInfo;
    const check = { kind: 'tcp', host: '127.0.0.1', from: 'control', banner: '+OK' };
    expect(await look(await context({ ...check, port }))).toMatchObject({ passed: true });
    expect(await look(await context({ ...check, port: 1 }))).toMatchObject({
      passed: false,
      observed: 'no connection to 127.0.0.1:1: Connection refused',
    });
  });
});
