import { failCommand } from '../command-failure.ts';
import type { Host } from '../../ports/host.ts';

/** The kernel that runs, as `uname -r` names it. */
export async function runningKernel(host: Host): Promise<string> {
  const result = await host.run({ argv: ['uname', '-r'], timeoutSeconds: 10 });
  if (result.exitCode !== 0) failCommand('Asking which kernel runs', 'uname -r', result);
  return result.stdout.trim();
}

/** Kernels that the host could start, by their names. */
export async function installedKernels(host: Host): Promise<readonly string[]> {
  const prefix = 'vmlinuz-';
  return (await host.list('/boot'))
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
}
