import type { BackupDestination } from '../ports/backup-destination.ts';
import type { Host } from '../ports/host.ts';
import { folderDestination } from './folder.ts';

/** A folder on another host over SSH; the bytes pass through this process, encrypted. */
export function sshDestination(host: Host, folder: string): BackupDestination {
  return folderDestination({ host, folder, label: `${host.name}${folder}` });
}
