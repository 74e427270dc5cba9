import { systemClock } from '../../src/clock/system-clock.ts';
import { postgresql } from '../../src/databases/postgresql.ts';
import { localHost } from '../../src/hosts/local.ts';

// Begins a restore test of an earlier window on another server, and waits there to be killed.
const [application = '', scratch = ''] = process.argv.slice(2);
const common = {
  host: localHost({ environment: { PATH: process.env.PATH ?? '' } }),
  clock: systemClock(),
};
const source = postgresql({ ...common, url: application });
const server = postgresql({ ...common, url: scratch, elsewhere: true });
const elsewhere = await server.scratchFitness(await source.restoreNeeds());
await server.createScratch('rich_mw_20261121_020000_0a0a_scratch', {
  like: await source.properties(),
  mark: 'shop, database rich',
  elsewhere,
});
setInterval(() => undefined, 60_000);
