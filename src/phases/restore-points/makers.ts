import type { RestorePointKind } from '../../record/restore-point.ts';
import { clonePoint } from './clone.ts';
import { commandPoint } from './command.ts';
import { dumpPoint } from './dump.ts';
import type { RestorePointMaker } from './kind.ts';
import { standbyPoint } from './standby.ts';

/** Who takes a restore point of a kind, and goes back to it. */
export function makerOf(kind: RestorePointKind): RestorePointMaker {
  const makers: Readonly<Record<RestorePointKind, unknown>> = {
    clone: clonePoint,
    standby: standbyPoint,
    dump: dumpPoint,
    command: commandPoint,
  };
  return makers[kind] as RestorePointMaker;
}
