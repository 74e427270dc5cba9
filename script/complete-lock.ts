/**
 * Adds to package-lock.json the optional packages of other platforms that npm left out.
 *
 * npm leaves an optional package out of the lock when the registry it asked does not serve it (a
 * mirror that lags behind, for one); `npm ci` then refuses the lock: "Missing: … from lock file".
 * The entry needs only what `npm ci` reads to decide that the package is for another platform:
 * version, os, cpu, libc. Run it after every change of the dependencies; `--check` writes nothing
 * and fails when something is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface LockedPackage {
  version?: string;
  optional?: boolean;
  dev?: boolean;
  optionalDependencies?: Record<string, string>;
  cpu?: string[];
  libc?: string[];
  os?: string[];
}
interface Lock {
  packages: Record<string, LockedPackage>;
}

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openbsd', 'openharmony', 'win32'];
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];
const exactVersion = /^\d+\.\d+\.\d+(-[\w.-]+)?$/;

const lockFile = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(lockFile, 'utf8')) as Lock;

/** Whether a package at `from` finds `name` in its own or an outer node_modules folder. */
function resolves(from: string, name: string): boolean {
  let folder = from;
  for (;;) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (path in lock.packages) return true;
    if (folder === '') return false;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')));
  }
}

const missing: Record<string, LockedPackage> = {};
for (const [from, locked] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(locked.optionalDependencies ?? {})) {
    if (resolves(from, name)) continue;
    const words = name.split(/[/-]/);
    const os = systems.find((system) => words.includes(system));
    const cpu = processors.find((processor) => words.includes(processor));
    if (os === undefined || cpu === undefined || !exactVersion.test(version)) continue;
    const libc = words.some((word) => word.startsWith('musl'))
      ? ['musl']
      : os === 'linux' && words.some((word) => word.startsWith('gnu'))
        ? ['glibc']
        : undefined;
    missing[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(locked.dev === true ? { dev: true } : {}),
      ...(libc === undefined ? {} : { libc }),
      optional: true,
      os: [os],
    };
  }
}

const names = Object.keys(missing).sort();
if (process.argv.includes('--check')) {
  if (names.length > 0) {
    console.error(`package-lock.json lacks ${names.join(', ')}. Run: node script/complete-lock.ts`);
    process.exitCode = 1;
  }
} else if (names.length > 0) {
  lock.packages = Object.fromEntries(
    Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => a.localeCompare(b, 'en')),
  );
  writeFileSync(lockFile, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`Added ${String(names.length)} packages to package-lock.json.`);
}
