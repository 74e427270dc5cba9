import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startCluster, type Cluster } from '../../rehearsal/cluster.ts';

describe('a private cluster', () => {
  let parent: string;
  let cluster: Cluster;

  beforeAll(async () => {
    parent = await mkdtemp(join(tmpdir(), 'clusters-'));
    await chmod(parent, 0o755);
    cluster = await startCluster({
      parentFolder: parent,
      settings: { max_prepared_transactions: '3', 'app.note': "it's quoted" },
    });
  });

  afterAll(async () => {
    await cluster.stop();
    expect(await readdir(parent)).toEqual([]);
    await rm(parent, { recursive: true });
  });

  test('answers on TCP and on its socket', async () => {
    expect(await cluster.psql('select inet_server_port()')).toBe(String(cluster.port));
    const { mode } = await stat(join(cluster.socketFolder, `.s.PGSQL.${cluster.port}`));
    expect(mode & 0o170000).toBe(0o140000);
  });

  test('asks for a password, and takes no other', async () => {
    await cluster.psql(`create role clerk login password 'right'`);
    const clerk = { user: 'clerk', password: 'right' };
    expect(await cluster.psql('select current_user', clerk)).toBe('clerk');
    await expect(cluster.psql('select 1', { ...clerk, password: 'wrong' })).rejects.toThrow(
      'password authentication failed',
    );
    expect(cluster.url({ user: 'a b', password: 'p@ss', database: 'x/y' })).toBe(
      `postgresql://a%20b:p%40ss@127.0.0.1:${cluster.port}/x%2Fy`,
    );
  });

  test('takes further settings, and is not durable unless asked', async () => {
    expect(await cluster.psql('show max_prepared_transactions')).toBe('3');
    expect(await cluster.psql('show app.note')).toBe("it's quoted");
    expect(await cluster.psql('show fsync')).toBe('off');
  });

  test('stops at the first error of a script', async () => {
    await expect(
      cluster.psql('create table first(); select no_such_column; create table second();'),
    ).rejects.toThrow('column "no_such_column" does not exist');
    expect(await cluster.psql(`select to_regclass('first'), to_regclass('second')`)).toBe('first|');
  });

  test('durable and trusting when asked', async () => {
    const other = await startCluster({
      parentFolder: parent,
      durable: true,
      authentication: 'trust',
    });
    try {
      expect(other.port).not.toBe(cluster.port);
      expect(await other.psql('show fsync')).toBe('on');
      await other.psql('create role guest login');
      expect(await other.psql('select current_user', { user: 'guest' })).toBe('guest');
    } finally {
      await other.stop();
    }
    expect(await readdir(parent)).toHaveLength(1);
  });

  test('that cannot start says what PostgreSQL said, and leaves nothing', async () => {
    await expect(
      startCluster({ parentFolder: parent, settings: { shared_buffers: 'plenty' } }),
    ).rejects.toThrow('invalid value for parameter "shared_buffers": "plenty"');
    expect(await readdir(parent)).toHaveLength(1);
  });
});
