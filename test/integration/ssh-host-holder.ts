/**
 * A process of its own for the tests of SSH hosts: logs in, prints the number of its ssh-agent, and waits to be killed.
 * Reads the settings as JSON from standard input.
 */
import { readFileSync } from 'node:fs';
import { sshConnections, type SshSettings } from '../../src/hosts/ssh.ts';

const settings = JSON.parse(readFileSync(0, 'utf8')) as SshSettings;
const host = sshConnections({
  signal: new AbortController().signal,
  environment: { PATH: process.env.PATH ?? '' },
}).host(settings);
const session = await host.start({ argv: ['sh', '-c', 'echo $$; exec cat'] });
console.log(await session.nextLine());
setInterval(() => undefined, 60_000);
