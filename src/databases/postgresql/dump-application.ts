/** The name under which a window's dump is connected; the server keeps 63 bytes of it. */
export function dumpApplication(windowId: string): string {
  return `maintenance-window dump ${windowId}`.slice(0, 63);
}
