import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

/** The database cannot be used at the moment; the request may be sent again later. */
export class DatabaseUnavailable extends Error {}

// SQLSTATEs (PostgreSQL manual, appendix A) after which the same work is simply done again: the
// server ends our session, starts, or is full; the database is just being replaced under its
// name; a deadlock, a serialization failure.
const passingStates = new Set([
  ...['57P01', '57P02', '57P03', '53300', '3D000', '55000'],
  ...['08000', '08001', '08003', '08004', '08006', '40001', '40P01'],
]);
const passingCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOENT']);
// What the driver says, without a code, of a session that ended under it.
const passingMessages =
  /^Connection terminated|^timeout exceeded when trying to connect|connection error and is not queryable/;

function isPassing(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return passingStates.has(code) || passingCodes.has(code) || passingMessages.test(error.message);
}

/** The shop's way to its database: a pool that outlives the end of its sessions. */
export class Database {
  readonly #pool: pg.Pool;
  readonly #patienceMilliseconds: number;

  /** @param patienceMilliseconds how long a request waits for a database that is away */
  constructor(url: string, patienceMilliseconds = 10_000) {
    this.#patienceMilliseconds = patienceMilliseconds;
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: 'shop',
      max: 10,
      connectionTimeoutMillis: 2000,
      idleTimeoutMillis: 30_000,
    });
    // A session ended while idle: the pool has dropped it already and opens another when asked.
    // Without a listener the event would end the process.
    this.#pool.on('error', (error) => console.error(`idle session lost: ${error.message}`));
  }

  /**
   * Runs `work` in a transaction. When the session is lost or the database is away, it is run
   * again as a whole, so it must do no harm when run twice.
   * @throws DatabaseUnavailable when the database did not come back in time
   */
  transaction<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    return this.#patiently(() =>
      this.#withSession(async (client) => {
        await client.query('begin');
        try {
          const result = await work(client);
          await client.query('commit');
          return result;
        } catch (error) {
          // On a lost session this fails as well, and the session is dropped for that.
          await client.query('rollback').catch(() => undefined);
          throw error;
        }
      }),
    );
  }

  /**
   * Reads rows; patient like `transaction`.
   * @throws DatabaseUnavailable when the database did not come back in time
   */
  read<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return this.#patiently(() => this.readNow<Row>(sql, values));
  }

  /** Reads rows without waiting for a database that is away. */
  readNow<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return this.#withSession(async (client) => (await client.query<Row>(sql, values)).rows);
  }

  /** Waits for running work, then closes all sessions. */
  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #patiently<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const deadline = Date.now() + this.#patienceMilliseconds;
    for (let wait = 25; ; wait = Math.min(wait * 2, 500)) {
      try {
        return await attempt();
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (Date.now() + wait > deadline) {
          throw new DatabaseUnavailable(error.message, { cause: error });
        }
        console.error(`trying again: ${error.message}`);
        await pause(wait);
      }
    }
  }

  async #withSession<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.#pool.connect();
    let lost: Error | undefined;
    // The loss of a session in use is reported to the client, not to the pool.
    const onError = (error: Error) => {
      lost = error;
    };
    client.on('error', onError);
    try {
      return await work(client);
    } catch (error) {
      if (isPassing(error)) lost ??= error;
      throw error;
    } finally {
      client.off('error', onError);
      client.release(lost);
    }
  }
}
