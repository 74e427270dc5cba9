import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { nodeProgram } from '../../rehearsal/node-program.ts';
import { makeNetworkNamespace, type NetworkNamespace } from '../../rehearsal/network-namespace.ts';
import { startObjectStore, type ObjectStore } from '../../rehearsal/object-store.ts';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { backupDbAction } from '../../src/actions/backup-db.ts';
import { machinesOf } from '../../src/assembly/machines.ts';
import { preflightSession } from '../../src/assembly/preflight-session.ts';
import type { Surroundings } from '../../src/assembly/surroundings.ts';
import { readRecord } from '../../src/record/window-record.ts';
import { makeAgeKey, type AgeKey } from '../fixtures/age-keys.ts';
import { copyPlaces, copySecrets, manualBackup, manualCommands } from '../fixtures/copy-places.ts';
import { ProgressLines } from '../fixtures/memory-host.ts';
import { PostgresqlBench } from '../fixtures/postgresql-bench.ts';
import { processTable } from '../fixtures/process-table.ts';
import { until } from '../fixtures/processes.ts';

const run = promisify(execFile);
/** An account that the other machine has, and may not become root. */
const keeper = { name: 'keeper', uid: 61_234, shell: '/bin/bash', sudo: false } as const;

let bench: PostgresqlBench;
let network: NetworkNamespace;
let server: SshServer;
let store: ObjectStore;
let key: AgeKey;
let database: string;
/** The folder on the other machine. */
let vault: string;
let runs = 0;

beforeAll(async () => {
  bench = await PostgresqlBench.start();
  network = await makeNetworkNamespace();
  server = await startSshServer({ namespace: network, accounts: [keeper] });
  store = await startObjectStore({ buckets: ['backups'] });
  key = await makeAgeKey();
  database = await bench.database(`
    CREATE TABLE orders (id int PRIMARY KEY, note text);
    INSERT INTO orders SELECT g, md5(g::text) FROM generate_series(1, 5000) AS g;`);
  vault = join(bench.folder, 'other-machine');
  await mkdir(vault);
  await run('chown', [String(keeper.uid), vault]);
  await run('chmod', ['0711', bench.folder]);
});
afterAll(async () => {
  await store.stop();
  await server.stop();
  await network.close();
  await bench.stop();
});

function secrets(): Record<string, string> {
  return {
    DATABASE_URL: bench.cluster.url({ database }),
    ...copySecrets({ server, store }, key),
  };
}

type Place = keyof ReturnType<typeof copyPlaces>;

function places() {
  return copyPlaces({
    nas: join(bench.folder, 'nas'),
    vault: join(vault, 'shop'),
    server,
    store,
  });
}

interface Run {
  readonly surroundings: Surroundings;
  readonly progress: ProgressLines;
  readonly masked: string[];
}

/** A run of its own, with these copies. */
function prepare(
  copies: readonly Place[],
  change: { keep?: object; without?: string; inputs?: Record<string, string>; state?: string } = {},
): Run {
  runs += 1;
  const progress = new ProgressLines();
  const masked: string[] = [];
  const environment: Record<string, string | undefined> = { PATH: process.env.PATH, ...secrets() };
  if (change.without !== undefined) environment[change.without] = undefined;
  return {
    progress,
    masked,
    surroundings: {
      inputs: {
        name: 'shop',
        'state-dir': join(bench.folder, change.state ?? 'state'),
        'database-url': '$DATABASE_URL',
        recipients: key.recipient,
        identity: '$BACKUP_IDENTITY',
        copies: JSON.stringify(copies.map((place) => places()[place])),
        ...(change.keep === undefined ? {} : { keep: JSON.stringify(change.keep) }),
        ...change.inputs,
      },
      environment,
      workspace: bench.folder,
      run: { id: `run-${runs}`, attempt: 1 },
      progress,
      signal: new AbortController().signal,
      mask: (secret) => masked.push(secret),
      github: undefined,
    },
  };
}

async function recordIn(state: string) {
  const record = await readRecord(bench.host, {
    stateDir: join(bench.folder, state),
    name: 'shop',
  });
  if (record === undefined) throw new Error('there is no record');
  return record;
}

describe('a backup with copies elsewhere', () => {
  let name: string;
  let ran: Run;
  let copyNames: string[];

  beforeAll(async () => {
    ran = prepare(['nas', 'vault', 'bucket'], { keep: { last: 1 } });
    const { outcome, outputs } = await backupDbAction(ran.surroundings);
    expect(outcome).toMatchObject({
      kind: 'done',
      detail: expect.stringContaining('copied to folder'),
    });
    name = outputs.directory?.split('/').at(-1) ?? '';
    copyNames = [`${name}.json`, `${name}.tar.age`];
  });

  test('has them in each place, and the record tells', async () => {
    expect(await readdir(join(bench.folder, 'nas'))).toEqual(copyNames);
    expect(await readdir(join(vault, 'shop'))).toEqual(copyNames);
    expect(await readdir(join(store.dataFolder, 'backups', 'shop'))).toEqual(copyNames);
    const { status } = await recordIn('state');
    expect(status.backup?.copies).toMatchObject([
      { id: 'nas', to: 'folder', encrypted: true },
      {
        id: 'vault',
        to: 'ssh',
        label: `${server.url}${vault}/shop`,
        objects: [...copyNames].reverse(),
      },
      { id: 'bucket', to: 's3', label: `s3://backups/shop at ${store.endpoint}` },
    ]);
    for (const { sha256 } of status.backup?.copies ?? []) {
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  test('says no secret anywhere', async () => {
    const { DATABASE_URL, ...others } = secrets();
    const said = JSON.stringify([ran.progress.lines, await recordIn('state')]);
    for (const secret of [DATABASE_URL ?? '', ...Object.values(others)]) {
      expect(said).not.toContain(secret);
      expect(said).not.toContain(JSON.stringify(secret).slice(1, -1));
      expect(ran.masked).toContain(secret);
    }
  });

  test('can be restored by the commands of the manual', async () => {
    const commands = await manualCommands('restore');
    expect(commands).toContain('age --decrypt');
    const folder = join(bench.folder, 'fetched');
    await mkdir(folder);
    for (const file of copyNames) {
      await writeFile(join(folder, file), await readFile(join(vault, 'shop', file)));
    }
    await writeFile(join(folder, 'key.txt'), `${key.identity}\n`);
    const { stdout } = await run('bash', ['-c', commands.replaceAll(manualBackup, name)], {
      cwd: folder,
      env: {
        ...bench.cluster.psqlEnvironment({ database: 'postgres' }),
        PATH: `${bench.cluster.binFolder}:${process.env.PATH ?? ''}`,
      },
    });
    expect(stdout).toContain(': OK');
    const sums = 'SELECT count(*), sum(hashtext(orders::text)) FROM orders';
    expect(await bench.sql(sums, { database: 'shop_restored' })).toBe(
      await bench.sql(sums, { database }),
    );
    await bench.sql('DROP DATABASE shop_restored');
  });

  test('makes room for the next one by the rules, in every place', async () => {
    const next = prepare(['nas', 'vault', 'bucket'], { keep: { last: 1 } });
    const { outcome, outputs } = await backupDbAction(next.surroundings);
    expect(outcome).toMatchObject({
      kind: 'done',
      detail: expect.stringContaining('4 older ones removed'),
    });
    const now = outputs.directory?.split('/').at(-1) ?? '';
    expect(now).not.toBe(name);
    for (const folder of [
      join(bench.folder, 'nas'),
      join(vault, 'shop'),
      join(store.dataFolder, 'backups', 'shop'),
    ]) {
      expect(await readdir(folder)).toEqual([`${now}.json`, `${now}.tar.age`]);
    }
    expect(await readdir(join(bench.folder, 'state/shop/backups'))).toEqual([now, `${now}.json`]);
    const { status } = await recordIn('state');
    expect(status.backup?.retention).toMatchObject(
      ['host', 'nas', 'vault', 'bucket'].map((id) => ({ id, kept: 1, removed: [name] })),
    );
  });
});

describe('what is refused before anything is touched', () => {
  test('a secret that is not there', async () => {
    const { surroundings } = prepare(['bucket'], {
      without: 'BACKUP_SECRET_ACCESS_KEY',
      state: 'none',
    });
    const { outcome } = await backupDbAction(surroundings);
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'secret-missing',
        message:
          'The environment does not have BACKUP_SECRET_ACCESS_KEY (backup-db.copies.0.secret-access-key).',
      },
    });
    expect(await readdir(bench.folder)).not.toContain('none');
  });

  test.each<[string, Record<string, string>, RegExp]>([
    [
      'a copy that would leave the host in plain',
      { recipients: '' },
      /backup-db\.copies\.0: .*: leaves the host, so it has to be encrypted: name .* backup-db\.recipients/,
    ],
    [
      'a recipient with a slip of the pen',
      { recipients: 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q' },
      /recipients.*is a public key for age/,
    ],
  ])('%s', async (_, inputs, message) => {
    const { surroundings } = prepare(['vault'], { inputs, state: 'none' });
    const { outcome } = await backupDbAction(surroundings);
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'plan-invalid', message: expect.stringMatching(message) },
    });
  });

  test('a private key in the place of a public one, which is not shown', async () => {
    const { surroundings } = prepare(['vault'], {
      inputs: { recipients: key.identity },
      state: 'none',
    });
    const { outcome } = await backupDbAction(surroundings);
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'plan-invalid' } });
    expect(JSON.stringify(outcome)).not.toContain(key.identity);
  });

  test('a place that does not let us in: no dump is made for it', async () => {
    const { surroundings } = prepare(['bucket'], { state: 'refused' });
    const environment = { ...surroundings.environment, BACKUP_SECRET_ACCESS_KEY: 'wrong' };
    const { outcome } = await backupDbAction({ ...surroundings, environment });
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'copy-impossible',
        message: expect.stringContaining(
          'Place bucket for copies of the backup (s3://backups/shop',
        ),
        state: 'Nothing was touched; no backup was made.',
      },
    });
    expect(await readdir(join(bench.folder, 'refused/shop'))).not.toContain('backups');
  });

  test('preflight looks at places and keys', async () => {
    const { surroundings } = prepare(['nas', 'vault', 'bucket'], {
      state: 'looked',
      inputs: {
        'public-url': 'http://127.0.0.1:9/',
        'dry-run': 'true',
        copies: '',
        recipients: '',
        identity: '',
      },
    });
    const plan = join(bench.folder, 'plan.yml');
    await writeFile(
      plan,
      JSON.stringify({
        'backup-db': {
          recipients: [key.recipient],
          identity: '$BACKUP_IDENTITY',
          copies: [{ ...places().nas, 'same-file-system': false }, places().vault, places().bucket],
        },
      }),
    );
    const inputs = { ...surroundings.inputs, plan };
    const machines = machinesOf(surroundings);
    try {
      const { result } = await preflightSession('preflight', { ...surroundings, inputs }, machines);
      const summary = result.summary ?? '';
      expect(summary).toContain('age encrypts for the recipients, and the private key opens it');
      expect(summary).toContain('is on the file system that has the backups');
      expect(summary).toMatch(/Place vault .*1 backups of shop are there/);
      expect(summary).toMatch(/Place bucket .*1 backups of shop are there/);
    } finally {
      await machines.close();
    }
  });
});

test('a streamed backup is copied from the host that keeps it, and restored by the manual', async () => {
  // The other machine keeps the backup; of it, a copy goes to the bucket.
  const kept = join(vault, 'streams');
  const { surroundings, progress } = prepare(['bucket'], { state: 'streamed' });
  const inputs: Record<string, string> = {
    ...surroundings.inputs,
    'stream-to': server.url,
    directory: kept,
    keep: '{ last: 1 }',
    'ssh-private-key': '$VAULT_KEY',
    'ssh-known-hosts': server.knownHosts,
    copies: JSON.stringify([{ ...places().bucket, prefix: 'streamed' }]),
  };
  const { outcome, outputs } = await backupDbAction({ ...surroundings, inputs });
  expect(outcome).toMatchObject({ kind: 'done', detail: expect.stringContaining('copied to s3:') });
  const name = outputs.directory?.split('/').at(-1) ?? '';
  expect(await readdir(kept)).toEqual([name, `${name}.json`]);
  expect(await readdir(join(store.dataFolder, 'backups', 'streamed'))).toEqual([
    `${name}.json`,
    `${name}.tar.age`,
  ]);
  expect(progress.lines.join('\n')).not.toContain(key.identity);

  const commands = await manualCommands('restore a stream');
  const folder = join(bench.folder, 'fetched-stream');
  await mkdir(folder);
  const archive = await readFile(join(store.dataFolder, 'backups', 'streamed', `${name}.tar.age`));
  await writeFile(join(folder, `${name}.tar.age`), archive);
  await writeFile(join(folder, 'key.txt'), `${key.identity}\n`);
  const script = `BACKUP=${name}\nage --decrypt --identity key.txt "$BACKUP.tar.age" | tar -xf -\n${commands}`;
  await run('bash', ['-ec', script], {
    cwd: folder,
    env: {
      ...bench.cluster.psqlEnvironment({ database: 'postgres' }),
      PATH: `${bench.cluster.binFolder}:${process.env.PATH ?? ''}`,
    },
  });
  const sums = 'SELECT count(*), sum(hashtext(orders::text)) FROM orders';
  expect(await bench.sql(sums, { database: 'shop_restored' })).toBe(
    await bench.sql(sums, { database }),
  );
  await bench.sql('DROP DATABASE shop_restored');
});

/** A run whose upload to the other machine is under way for as long as the test likes. */
async function slowRun(state: string): Promise<{
  readonly surroundings: Surroundings;
  /** Where its copy goes. */
  readonly place: string;
  /** Resolves when a part of the copy is there. */
  underWay(): Promise<void>;
  /** Lets it go on. */
  release(): Promise<void>;
}> {
  const tools = join(bench.folder, `tools-${state}`);
  const go = join(tools, 'go');
  await mkdir(tools);
  await writeFile(
    join(tools, 'tar'),
    `#!/bin/sh\nPATH=/usr/bin:/bin\ntar "$@" | { head -c 5000; while [ ! -e ${go} ]; do sleep 0.1; done; cat; }\n`,
    { mode: 0o755 },
  );
  const { surroundings } = prepare(['vault'], { state });
  const place = join(vault, state);
  const copies = JSON.stringify([{ ...places().vault, path: place }]);
  return {
    surroundings: {
      ...surroundings,
      inputs: { ...surroundings.inputs, copies, 'ssh-connect-timeout': '2s' },
      environment: {
        ...surroundings.environment,
        PATH: `${tools}:${process.env.PATH ?? ''}`,
      },
    },
    place,
    underWay: async () => {
      await until('a part is there', async () => {
        const names = await readdir(place).catch(() => []);
        return names.some((name) => name.startsWith('.part-'));
      });
    },
    release: () => writeFile(go, ''),
  };
}

/** Goes on with the run: the backup itself is found done, the copy is made, and nothing else is left. */
async function goOn(surroundings: Surroundings, place: string, state: string): Promise<void> {
  const run = { ...surroundings.run, attempt: 2 };
  const again = await backupDbAction({ ...surroundings, run });
  expect(again.outcome).toMatchObject({ kind: 'done' });
  const name = again.outputs.directory?.split('/').at(-1) ?? '';
  expect(await readdir(place)).toEqual([`${name}.json`, `${name}.tar.age`]);
  const { journal } = await recordIn(state);
  const dumps = journal.filter(({ step, event }) => step === 'dump-online' && event === 'intent');
  expect(dumps).toHaveLength(1);
  await until('no program of ours is left', async () =>
    (await processTable()).every(
      ({ command }) =>
        !command.includes(key.recipient) && !command.startsWith(`tar -C ${bench.folder}`),
    ),
  );
}

test('killed in mid-upload: no copy, and the next run makes it good', async () => {
  const { surroundings, place, underWay, release } = await slowRun('killed');
  const { inputs, environment, workspace, run } = surroundings;
  const runner = fileURLToPath(new URL('backup-runner.ts', import.meta.url));
  const child = spawn(nodeProgram(), ['--no-warnings', runner], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  child.stdin.end(JSON.stringify({ inputs, environment, workspace, run }));
  const ended = once(child, 'exit');
  await underWay();
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
  await release();
  expect((await readdir(place)).filter((name) => !name.startsWith('.part-'))).toEqual([]);
  await goOn(surroundings, place, 'killed');
});

test('a line that is cut in mid-upload: a failure that says where, and the next run makes it good', async () => {
  const { surroundings, place, underWay, release } = await slowRun('cut');
  const going = backupDbAction(surroundings);
  await underWay();
  await network.cutOff();
  await release();
  let result;
  try {
    result = await going;
  } finally {
    await network.reconnect();
  }
  expect(result.outcome).toMatchObject({
    kind: 'failed',
    failure: {
      code: 'copy-unreachable',
      message: expect.stringContaining(`Writing to ${server.url}${place} failed`),
      state: expect.stringContaining('never counts'),
    },
  });
  const left = await readdir(place);
  expect(left.filter((name) => !name.startsWith('.part-'))).toEqual([]);
  await goOn(surroundings, place, 'cut');
});
