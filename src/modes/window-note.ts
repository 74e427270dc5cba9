import * as z from 'zod';
import { fail } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import { removeTemporaries } from './temporaries.ts';

/**
 * A small file of ours on the host: who closed, or who prepared. It is written durably before the effect that it
 * speaks of, so that a later run knows whose that is.
 */
export interface WindowNote<T extends { readonly windowId: string }> {
  readonly path: string;
  /**
   * What it says; `undefined` when there is none, or one of a version that this software does not know and of
   * another window.
   */
  read(): Promise<T | undefined>;
  write(note: T): Promise<void>;
  remove(): Promise<void>;
}

/**
 * @param folder ours alone; made when something is written, removed with the last file in it
 */
export function windowNote<T extends { readonly windowId: string }>(
  host: Host,
  folder: string,
  name: string,
  schema: z.ZodType<T>,
): WindowNote<T> {
  const path = `${folder}/${name}`;
  return {
    path,
    read: async () => {
      const bytes = await host.readFile(path);
      if (bytes === undefined) return undefined;
      const parsed = schema.safeParse(jsonOf(Buffer.from(bytes).toString('utf8')));
      if (parsed.success) return parsed.data;
      return fail({
        code: 'note-unreadable',
        message: `${path} says who closed the site, but cannot be read: ${z.prettifyError(parsed.error)}`,
        state: 'Nothing was touched.',
        next: 'Use the version of the software that wrote it; or see that the site is open, remove the file, and run the step again.',
      });
    },
    write: async (note) => {
      await host.makeDirectory(folder, 0o755);
      await host.writeFile(path, `${JSON.stringify(note)}\n`, { mode: 0o600 });
    },
    remove: async () => {
      await host.remove(path);
      await removeTemporaries(host, path);
      const status = await host.status(folder);
      if (status?.kind === 'directory' && (await host.list(folder)).length === 0)
        await host.remove(folder);
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
