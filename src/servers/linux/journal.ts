import { parseBytes } from '../../plan/bytes.ts';
import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import { failCommand } from '../command-failure.ts';

/** Bytes that systemd's journal takes up, as it says itself (rounded). */
export async function journalBytes(host: Host): Promise<number> {
  const result = await host.run({ argv: ['journalctl', '--disk-usage'], timeoutSeconds: 60 });
  if (result.exitCode !== 0) {
    failCommand('Asking for the size of the journal', 'journalctl --disk-usage', result);
  }
  const text = `${result.stdout}\n${result.stderr}`;
  if (/No journal files were (?:found|opened)/.test(text)) return 0;
  const [, amount = '', unit = ''] = /take up ([\d.]+)([BKMGT])/.exec(text) ?? [];
  return (
    parseBytes(`${amount} ${units[unit] ?? 'B'}`) ??
    fail({
      code: 'server-journal',
      message: '`journalctl --disk-usage` says nothing that can be read.',
      state: 'Nothing was removed.',
      next: 'Run it on the host and look.',
    })
  );
}

const units: Readonly<Record<string, string>> = {
  B: 'B',
  K: 'KiB',
  M: 'MiB',
  G: 'GiB',
  T: 'TiB',
};

/** Removes archived journal files beyond age or size (journalctl(1)). */
export async function vacuumJournal(
  host: Host,
  keep: { readonly seconds: number | undefined; readonly bytes: number | undefined },
): Promise<void> {
  const result = await host.run({
    argv: [
      'journalctl',
      ...(keep.seconds === undefined ? [] : [`--vacuum-time=${Math.ceil(keep.seconds)}s`]),
      ...(keep.bytes === undefined ? [] : [`--vacuum-size=${Math.ceil(keep.bytes)}`]),
    ],
    timeoutSeconds: 300,
  });
  if (result.exitCode !== 0) failCommand('Shortening the journal', 'journalctl', result);
}
