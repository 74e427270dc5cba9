import { fail } from '../../../ports/failure.ts';
import type { ServerState } from '../../../ports/standby.ts';

/** Lines of pg_controldata that matter here (their English text; the programs run under LC_ALL=C). */
const labels = {
  systemIdentifier: 'Database system identifier',
  clusterState: 'Database cluster state',
  timeline: "Latest checkpoint's TimeLineID",
  recoveryEnd: 'Minimum recovery ending location',
  recoveryTimeline: "Min recovery ending loc's timeline",
  segmentBytes: 'Bytes per WAL segment',
} as const;

/**
 * Reads what pg_controldata printed.
 * @throws FailureError `standby-unreadable`
 */
export function readControlData(printed: string): Omit<ServerState, 'isRunning'> {
  const values = new Map(
    printed.split('\n').flatMap((line): [string, string][] => {
      const at = line.indexOf(':');
      return at < 1 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()]];
    }),
  );
  const of = (label: keyof typeof labels): string => values.get(labels[label]) ?? '';
  const systemIdentifier = of('systemIdentifier');
  if (!/^\d+$/.test(systemIdentifier) || of('clusterState') === '') {
    return fail({
      code: 'standby-unreadable',
      message: 'pg_controldata printed something unexpected.',
      state: 'Nothing was changed by looking.',
      next: "Run the server version's own pg_controldata on the data directory, and see what it says.",
    });
  }
  return {
    systemIdentifier,
    clusterState: of('clusterState'),
    // A restartpoint may be older than the last change of timeline that was replayed.
    timeline: Math.max(Number(of('timeline')), Number(of('recoveryTimeline') || '0')),
    recoveryEnd: of('recoveryEnd'),
    segmentBytes: Number(of('segmentBytes')),
  };
}
