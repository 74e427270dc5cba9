import { Database } from './database.ts';
import { createShop } from './server.ts';

const { DATABASE_URL: databaseUrl, HOST: host = '127.0.0.1', PORT: port = '3000' } = process.env;
if (databaseUrl === undefined || databaseUrl === '') {
  console.error('DATABASE_URL is not set. Give it a postgresql:// URL.');
  process.exit(2);
}
if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
  console.error(`PORT is "${port}"; a whole number from 0 to 65535 is accepted.`);
  process.exit(2);
}

const database = new Database(databaseUrl);
const shop = createShop(database);
// Longer than the proxy keeps its idle connections, so that the proxy is the one who closes them:
// otherwise it may send a request into a connection that we are just closing.
shop.keepAliveTimeout = 120_000;
shop.on('error', (error) => {
  console.error(`cannot listen on ${host}:${port}: ${error.message}`);
  process.exit(1);
});
shop.listen(Number(port), host, () => console.log(`listening on ${host}:${port}`));

let stopping = false;
function stop(signal: NodeJS.Signals): void {
  if (stopping) return;
  stopping = true;
  console.log(`${signal}: finishing running requests`);
  shop.close(() => {
    database.close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  shop.closeIdleConnections();
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
