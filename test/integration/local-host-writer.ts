/**
 * A process of its own for the tests of the local host: writes through the host under whatever limits or
 * death it was started with, and prints what came of it as one line of JSON.
 *
 * Usage: node local-host-writer.ts full FOLDER | loop FILE
 */
import { failureOf } from '../../src/ports/failure.ts';
import { localHost } from '../../src/hosts/local.ts';

const [mode, path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: local-host-writer.ts full FOLDER | loop FILE');
const host = localHost({ environment: {} });
const tooMuch = 'x'.repeat(2 * 1024 * 1024);

/** The reason code of a write that cannot succeed. */
async function refusal(write: Promise<unknown>): Promise<string> {
  return write.then(
    () => 'written',
    (error: unknown) => failureOf(error).code,
  );
}

if (mode === 'full') {
  // Over the limit of a file's size the kernel sends this signal; handled, the write fails with EFBIG.
  process.on('SIGXFSZ', () => undefined);
  await host.writeFile(`${path}/kept`, 'old', { mode: 0o600 });
  await host.appendFile(`${path}/journal`, 'line 1\n', 0o600);
  const codes = {
    write: await refusal(host.writeFile(`${path}/kept`, tooMuch, { mode: 0o600 })),
    create: await refusal(host.createFile(`${path}/new`, tooMuch, { mode: 0o600 })),
    append: await refusal(host.appendFile(`${path}/journal`, tooMuch, 0o600)),
  };
  const read = async (name: string): Promise<string> =>
    Buffer.from((await host.readFile(`${path}/${name}`)) ?? []).toString('utf8');
  console.log(
    JSON.stringify({
      codes,
      kept: await read('kept'),
      journal: await read('journal'),
      names: await host.list(path),
    }),
  );
} else {
  // Whole contents of one letter, one after the other, until somebody kills us.
  console.log('writing');
  for (let round = 0; ; round += 1) {
    await host.writeFile(path, (round % 2 === 0 ? 'a' : 'b').repeat(512 * 1024), { mode: 0o600 });
  }
}
