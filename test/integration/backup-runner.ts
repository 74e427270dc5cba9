/**
 * A process of its own for the tests of copies: runs `backup-db` as told in JSON on standard input, until it is done or
 * killed.
 */
import { readFileSync } from 'node:fs';
import { backupDbAction } from '../../src/actions/backup-db.ts';
import type { Surroundings } from '../../src/assembly/surroundings.ts';

type Told = Pick<Surroundings, 'inputs' | 'environment' | 'workspace' | 'run'>;

const told = JSON.parse(readFileSync(0, 'utf8')) as Told;
const ignored = (): void => undefined;
const { outcome } = await backupDbAction({
  ...told,
  progress: { begin: ignored, end: ignored, info: ignored, warning: ignored },
  signal: new AbortController().signal,
  mask: ignored,
  github: undefined,
});
console.log(JSON.stringify(outcome));
