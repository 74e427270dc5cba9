import { controlInWords, type ServerPlace } from '../ports/server-place.ts';
import { isOver } from '../record/life.ts';
import { failedPrimary, owedStandby } from '../record/standby.ts';
import type { WindowStatus } from '../record/status.ts';
import type { LeftToDo } from './left-to-do.ts';

/** What a replica that was the restore point leaves to people. */
export function standbyLeft(status: WindowStatus): readonly LeftToDo[] {
  const { standby, windowId } = status;
  if (standby === undefined) return [];
  const { replica, primary, slot } = standby;
  if (standby.promotedAt !== undefined) return promoted(status, standby);
  if (owedStandby(status) === undefined) return [];
  const where = placeInWords(replica);
  if (!isOver(status.state)) {
    return status.restorePoint === undefined
      ? []
      : [
          {
            urgent: false,
            text: `The replica (${where}) is stopped as restore point, and protects nobody meanwhile; a rollback promotes it, the end of the window starts it again.`,
          },
        ];
  }
  const slotText =
    slot === undefined
      ? ''
      : ` Until the slot ${slot} is dropped (SELECT pg_drop_replication_slot('${slot}')), the primary on ${primary.host} keeps all its log on its disk.`;
  return [
    {
      urgent: true,
      text: `The replica (${where}) was not seen to follow the primary again: the next report or preflight tries. By hand: take the lines between "begin" and "end maintenance-window ${windowId}" out of its postgresql.auto.conf, start it by ${controlInWords(replica)}, and see it stream; where the log that it needs is gone, make it anew with pg_basebackup.${slotText}`,
    },
  ];
}

function promoted(
  { windowId }: WindowStatus,
  standby: NonNullable<WindowStatus['standby']>,
): readonly LeftToDo[] {
  const { primary, replica, otherReceivers, synchronousNames, reachedBy, slot } = standby;
  const boot =
    primary.control.kind === 'unit'
      ? `\`systemctl disable ${primary.control.unit}\` on ${primary.host}`
      : `whatever starts it at boot on ${primary.host}`;
  const clash =
    reachedBy === 'port'
      ? `, it would take port ${primary.port} from the promoted replica`
      : ', there would be two primaries';
  return [
    {
      urgent: true,
      text: `Keep the failed primary stopped: started again, by hand or at a reboot${clash}. Disable it (${boot}). Kept for study: ${failedPrimary(standby)}.`,
    },
    {
      urgent: true,
      text: `The promoted server (${placeInWords(replica)}) has no replica now: make one of it, for instance of the failed primary with pg_rewind or pg_basebackup, once nobody studies that any more.`,
    },
    ...(otherReceivers.length === 0
      ? []
      : [
          {
            urgent: true,
            text: `What received from the failed primary stands still: ${otherReceivers.join(', ')}. Lead it to the promoted server, or make it anew; logical slots do not exist there.`,
          },
        ]),
    {
      urgent: false,
      text: `The postgresql.auto.conf of the promoted server ends with settings of window ${windowId} (${reachedBy === 'port' ? 'port, addresses, ' : ''}no primary to follow, no restore_command${synchronousNames === '' ? '' : `, synchronous_standby_names empty instead of ${JSON.stringify(synchronousNames)}`}): take over what is to last into its postgresql.conf${slot === undefined ? '' : `; the failed primary still has the slot ${slot}`}.`,
    },
  ];
}

function placeInWords({ dataDirectory, host }: ServerPlace): string {
  return `${dataDirectory} on ${host}`;
}
