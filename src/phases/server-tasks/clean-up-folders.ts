/** What must never be cleaned up, whatever a plan says. */
export interface ProtectedPlaces {
  /** Folders of this window: record, backups, site files. */
  readonly own: readonly string[];
}

/** These, and everything below them. */
const trees = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/proc',
  '/root',
  '/run',
  '/sbin',
  '/sys',
  '/usr',
  '/var/lib/apt',
  '/var/lib/containerd',
  '/var/lib/docker',
  '/var/lib/dpkg',
  '/var/lib/mysql',
  '/var/lib/postgresql',
  '/var/lib/systemd',
] as const;
/** These themselves, but not what lies below. */
const folders = ['/', '/home', '/media', '/mnt', '/opt', '/srv', '/var', '/var/lib', '/var/spool'];
/** Anywhere in a path. */
const names = ['.ssh', '.gnupg', '.git'];

/**
 * Why a folder may not be cleaned up; `undefined` when it may.
 * @param path without symbolic links
 */
export function cleanUpObstacle(path: string, places: ProtectedPlaces): string | undefined {
  const inner = path === '/' ? '/' : path.replace(/\/+$/, '');
  if (folders.includes(inner)) return `${inner} holds more than old files`;
  const tree = trees.find((root) => isWithin(inner, root));
  if (tree !== undefined) return `${tree} belongs to the system`;
  if (/^\/home\/[^/]+$/.test(inner)) return `${inner} is a home folder`;
  const name = inner.split('/').find((part) => names.includes(part));
  if (name !== undefined) return `${name} holds keys or history`;
  const own = places.own.find((place) => isWithin(inner, place) || isWithin(place, inner));
  return own === undefined ? undefined : `${own} belongs to this window`;
}

function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? '/' : `${root}/`);
}
