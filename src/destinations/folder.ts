import { posix } from 'node:path';
import type { BackupDestination, StoredObject } from '../ports/backup-destination.ts';
import { fail, failureOf, type Failure } from '../ports/failure.ts';
import type { CommandResult, Host } from '../ports/host.ts';
import { pipedBytes } from '../ports/piped-bytes.ts';
import { storing } from '../ports/stored-bytes.ts';

/** What we name objects here; anything else in the folder is somebody else's. */
const objectName = /^[a-z0-9][a-z0-9.-]*$/;

/**
 * Makes a received file an object, once it is on the disk; never in the place of another one. Some file systems
 * (of networks, mostly) know no hard links.
 */
const publishing = `
sync -- "$1" || exit 3
if [ -e "$2" ]; then exit 4; fi
if ln -- "$1" "$2" 2>/dev/null; then rm -f -- "$1"
elif [ -e "$2" ]; then exit 4
else mv -- "$1" "$2" || exit 5
fi
sync -- "$3" 2>/dev/null || sync
`;

/** Sizes and names of files with a name that could be ours. */
const listing = `
cd -- "$1" 2>/dev/null || exit 3
LC_ALL=C
for file in *; do
  case $file in [!a-z0-9]* | *[!a-z0-9.-]*) continue ;; esac
  if [ -f "$file" ]; then stat -c '%s %n' -- "$file" || exit 4; fi
done
`;

const partPrefix = '.part-';

/** A folder on a host: of the host itself, of a file server mounted there, or on another host. */
export function folderDestination({
  host,
  folder,
  label,
}: {
  readonly host: Host;
  /** Absolute path; made when it is not there. */
  readonly folder: string;
  readonly label: string;
}): BackupDestination {
  const pathOf = (name: string): string => {
    if (!objectName.test(name)) throw new Error(`${name} is no name of an object in a folder`);
    return posix.join(folder, name);
  };
  const partOf = (name: string): string => posix.join(folder, `${partPrefix}${name}`);

  /** Failures of the host in terms of the copy; what the content throws is passed on as it is. */
  const at = async <T>(what: string, state: string, body: () => Promise<T>): Promise<T> => {
    try {
      return await body();
    } catch (error) {
      const { code, message, next } = failureOf(error);
      if (code === 'unexpected' || code === 'cancelled' || !code.startsWith('host-')) throw error;
      const failure: Failure = {
        code: 'copy-unreachable',
        message: `${what} ${label} failed: ${message}`,
        state,
        next,
      };
      return fail(failure, error);
    }
  };

  return {
    label,
    put: async (name, content) => {
      const [path, part] = [pathOf(name), partOf(name)];
      const partial = `${label} has no ${name}. A part of it may be left there as ${partPrefix}${name}, which never counts; the next copy to it removes that.`;
      const notWritten = (said: string): never =>
        fail({
          code: 'copy-not-written',
          message: `${label} did not take ${name}: ${said}.`,
          state: `There is no ${name}, and no part of it.`,
          next: 'Make room there, or let the user write there, then run the step again.',
        });
      let ofContent: { readonly error: unknown } | undefined;
      const watched = (async function* passing() {
        try {
          yield* content;
        } catch (error) {
          ofContent = { error };
          throw error;
        }
      })();
      const writing = at('Writing to', partial, async () => {
        await host.makeDirectory(folder, 0o700);
        // What a run left that was cut off.
        await host.remove(part);
        try {
          const [received] = await host.pipe([storing(part)], { source: watched });
          if (received?.exitCode !== 0) notWritten(saidBy(received));
          const published = await host.run({
            argv: ['sh', '-c', publishing, 'sh', part, path, folder],
          });
          if (published.exitCode === 4) refuseExisting(label, name);
          if (published.exitCode !== 0) notWritten(saidBy(published));
        } catch (error) {
          await host.remove(part).catch(() => undefined);
          throw error;
        }
      });
      await writing.catch((error: unknown) => {
        // What the content throws is no fault of this place.
        throw ofContent === undefined ? error : ofContent.error;
      });
    },
    read: (name) => {
      const path = pathOf(name);
      return pipedBytes(host, [{ argv: ['cat', '--', path] }], ([read]) => {
        if (read?.exitCode === 0) return;
        fail({
          code: 'copy-unreadable',
          message: `${label} does not give ${name} back: ${saidBy(read)}.`,
          state: `What is there under that name cannot be told.`,
          next: 'Look at it there, then run the step again.',
        });
      });
    },
    list: () =>
      at('Listing', 'Nothing was changed there.', async () => {
        const listed = await host.run({ argv: ['sh', '-c', listing, 'sh', folder] });
        if (listed.exitCode === 3 && (await host.status(folder)) === undefined) return [];
        if (listed.exitCode !== 0) {
          fail({
            code: 'copy-unreadable',
            message: `${label} cannot be listed: ${saidBy(listed)}.`,
            state: 'Nothing was changed there.',
            next: 'Let the user read that folder, then run the step again.',
          });
        }
        return objectsIn(listed.stdout);
      }),
    remove: (name) =>
      at('Removing from', `${name} may still be there.`, () => host.remove(pathOf(name))),
    sweep: (isOurs) =>
      at('Listing', 'Nothing was changed there.', async () => {
        const parts = (await host.list(folder))
          .filter((name) => name.startsWith(partPrefix))
          .map((name) => name.slice(partPrefix.length))
          .filter((name) => objectName.test(name) && isOurs(name));
        for (const name of parts) await host.remove(partOf(name));
        return parts;
      }),
  };
}

function refuseExisting(label: string, name: string): never {
  return fail({
    code: 'copy-exists',
    message: `${label} has a ${name} already, and a copy never overwrites anything.`,
    state: 'What is there is as it was.',
    next: 'Look at it; move it away when it is not needed, then run the step again.',
  });
}

function objectsIn(text: string): readonly StoredObject[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const space = line.indexOf(' ');
      return { name: line.slice(space + 1), bytes: Number(line.slice(0, space)) };
    });
}

function saidBy(result: Pick<CommandResult, 'exitCode' | 'stderr'> | undefined): string {
  const line = result?.stderr
    .split('\n')
    .map((text) => text.trim())
    .find((text) => text !== '');
  return (line ?? `exit code ${String(result?.exitCode ?? null)}`).slice(0, 300).replace(/\.$/, '');
}
