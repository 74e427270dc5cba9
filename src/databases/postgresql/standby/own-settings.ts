import type { OwnSettings, TakenPlace } from '../../../ports/standby.ts';

/** Values that none of our settings has: they would end the line. */
const lineBreak = /[\r\n\0]/;

const begin = (windowId: string, settings: OwnSettings): string =>
  `# begin maintenance-window ${windowId} ${settings}`;
const end = (windowId: string): string => `# end maintenance-window ${windowId}`;

/**
 * The text of postgresql.auto.conf with our settings at its end, where the last one counts (manual, 20.1.2), and all
 * else as it was. Its lines may hold a password: the text goes nowhere else.
 */
export function withOwnSettings(
  text: string,
  windowId: string,
  settings: OwnSettings,
  like?: TakenPlace,
): string {
  const others = withoutOwnSettings(text, windowId);
  if (settings === 'none') return others;
  const lines = [
    begin(windowId, settings),
    // Whoever starts it now: nothing that came after the restore point reaches it.
    ...entries({ primary_conninfo: '', primary_slot_name: '', restore_command: '' }),
    ...(settings === 'promotion' ? promotionLines(like) : []),
    end(windowId),
  ];
  const head = others === '' || others.endsWith('\n') ? others : `${others}\n`;
  return `${head}${lines.join('\n')}\n`;
}

function promotionLines(like: TakenPlace | undefined): readonly string[] {
  return [
    // Nobody follows the promoted server yet: with names here, each commit would wait for ever.
    ...entries({ synchronous_standby_names: '' }),
    ...(like === undefined
      ? []
      : entries({
          port: String(like.port),
          ...(like.listenAddresses === undefined ? {} : { listen_addresses: like.listenAddresses }),
          ...(like.socketFolders === undefined
            ? {}
            : { unix_socket_directories: like.socketFolders }),
        })),
  ];
}

/** Quoted as the manual has it (20.1.2): quotes doubled; a backslash begins an escape. */
function entries(settings: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(settings).flatMap(([name, value]) =>
    lineBreak.test(value)
      ? []
      : [`${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`],
  );
}

/** The text as it is without a window's settings. */
function withoutOwnSettings(text: string, windowId: string): string {
  const lines = text.split('\n');
  const kept: string[] = [];
  let isOurs = false;
  for (const line of lines) {
    if (line.startsWith(`# begin maintenance-window ${windowId} `)) isOurs = true;
    if (!isOurs) kept.push(line);
    if (line === end(windowId)) isOurs = false;
  }
  return kept.join('\n');
}

/** What a window's settings in it are. */
export function ownSettingsIn(text: string, windowId: string): OwnSettings {
  const lines = new Set(text.split('\n'));
  if (!lines.has(end(windowId))) return 'none';
  if (lines.has(begin(windowId, 'promotion'))) return 'promotion';
  return lines.has(begin(windowId, 'cut-off')) ? 'cut-off' : 'none';
}
