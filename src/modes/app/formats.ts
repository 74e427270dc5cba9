import { posix } from 'node:path';
import { dotenv } from './dotenv.ts';
import type { SettingsFormat } from './format.ts';
import { ini } from './ini.ts';
import { json } from './json.ts';
import { python } from './python.ts';
import { yaml } from './yaml.ts';

/** All kinds of settings files that can be edited, by the name that `app-format` gives them. */
export const formats = { dotenv, ini, json, yaml, python } as const satisfies Readonly<
  Record<string, SettingsFormat>
>;
export type FormatName = keyof typeof formats;

const byExtension: Readonly<Record<string, FormatName>> = {
  '.env': 'dotenv',
  '.ini': 'ini',
  '.cfg': 'ini',
  '.json': 'json',
  '.jsonc': 'json',
  '.yml': 'yaml',
  '.yaml': 'yaml',
  '.py': 'python',
};

/** The format that a file's name makes clear: `.env`, `.env.production`, `config.yml`; not `app.conf`. */
export function formatOfName(path: string): FormatName | undefined {
  const name = posix.basename(path);
  if (/^\.env(?:\.[A-Za-z0-9_-]+)*$/.test(name)) return 'dotenv';
  return byExtension[posix.extname(name).toLowerCase()];
}
