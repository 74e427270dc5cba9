import { steadyWriting } from './beside-the-public.ts';

/** The name under which a window's dump is connected; the server keeps 63 bytes of it. */
export function dumpApplication(windowId: string): string {
  return `maintenance-window dump ${windowId}`.slice(0, 63);
}

/** Run-time parameters of a window's pg_dump. */
export function dumpSettings(windowId: string): Readonly<Record<string, string>> {
  return { application_name: dumpApplication(windowId), ...steadyWriting };
}
