/**
 * A process of its own that is killed while it writes an object: the place and the keys in the environment, a
 * source that never ends.
 *
 * Usage: node s3-uploader.ts NAME
 */
import { setTimeout as pause } from 'node:timers/promises';
import { s3Destination } from '../../src/destinations/s3.ts';

const [name = ''] = process.argv.slice(2);
const { ENDPOINT = '', REGION = '', BUCKET = '', PREFIX = '', ID = '', SECRET = '' } = process.env;
const partBytes = 5 * 1024 * 1024;

async function* twoPartsThenNothing(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(2 * partBytes + 1);
  await pause(600_000);
}

await s3Destination(
  { endpoint: ENDPOINT, region: REGION, bucket: BUCKET, prefix: PREFIX },
  { accessKeyId: ID, secretAccessKey: SECRET },
  { firstPartBytes: partBytes },
).put(name, twoPartsThenNothing());
