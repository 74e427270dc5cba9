import { failureOf } from '../../ports/failure.ts';
import type { Check } from '../../ports/maintenance-mode.ts';
import { bypassCheck } from '../bypass-check.ts';
import { isProgramThere } from '../user-command.ts';
import { readSettingsFile, type AppContext, type SettingsFile } from './context.ts';
import { keyState, planChange } from './door.ts';
import { unwritable } from './installation.ts';

/** All checks of the app mode; they touch nothing. */
export async function checkKey(context: AppContext): Promise<readonly Check[]> {
  const { settings, formatName } = context;
  const title = {
    id: 'app-file',
    title: 'Settings file of the application',
    limit: 'a text file of at most 1 MiB that can be read',
  };
  let file: SettingsFile;
  try {
    file = await readSettingsFile(context);
  } catch (error) {
    const { code, message, next } = failureOf(error);
    if (code === 'cancelled') throw error;
    return [{ ...title, verdict: 'failed', value: message, next }];
  }
  const links = file.realPath === settings.file ? '' : ` (${file.realPath})`;
  return [
    { ...title, verdict: 'passed', value: `${settings.file}${links}, ${formatName}` },
    await checkSwitch(context, file),
    await checkWritable(context, file),
    await checkReload(context),
    bypassCheck('app-bypass', settings.bypassHeader),
  ];
}

async function checkSwitch(context: AppContext, file: SettingsFile): Promise<Check> {
  const { settings } = context;
  const title = {
    id: 'app-key',
    title: `${settings.key} is off, and can be set`,
    limit: 'there once, as a plain value that is off; or missing, with app-create',
  };
  try {
    const state = await keyState(context);
    switch (state.kind) {
      case 'closed':
        return { ...title, verdict: 'passed', value: 'on, set by this window' };
      case 'closed-by-another':
        return {
          ...title,
          verdict: 'failed',
          value: `on, set by ${state.holder}`,
          next: `Ask who set it to open the site, or switch ${settings.key} off by hand.`,
        };
      case 'open': {
        const { kind } = planChange(context, file).change;
        const value = kind === 'added' ? 'missing; added for the window' : 'off';
        return { ...title, verdict: 'passed', value };
      }
    }
  } catch (error) {
    const { code, message, next } = failureOf(error);
    if (code === 'cancelled') throw error;
    return { ...title, verdict: 'failed', value: message, next };
  }
}

async function checkWritable(context: AppContext, file: SettingsFile): Promise<Check> {
  const title = {
    id: 'app-writable',
    title: 'Settings file can be written',
    limit: 'the file and its folder, which it is replaced in',
  };
  const path = await unwritable(context, file);
  if (path === undefined) return { ...title, verdict: 'passed', value: file.realPath };
  return {
    ...title,
    verdict: 'failed',
    value: `${path} cannot be written by the user of this run`,
    next: 'Give that user the right to write the file and its folder, or use sudo.',
  };
}

async function checkReload({ host, settings }: AppContext): Promise<Check> {
  const title = {
    id: 'app-reload',
    title: 'Command that makes the application read its settings',
    limit: 'its program is there',
  };
  const { reloadCommand } = settings;
  if (reloadCommand === undefined) {
    return {
      ...title,
      verdict: 'not-applicable',
      value:
        'none: the application must read the file by itself, which closing proves from outside',
      next: 'Give app-reload-command when the application reads its settings only at its start.',
    };
  }
  const program = reloadCommand[0] ?? '';
  if (await isProgramThere(host, reloadCommand, settings.commands)) {
    return { ...title, verdict: 'passed', value: program };
  }
  return {
    ...title,
    verdict: 'failed',
    value: `${program} was not found on ${host.name}`,
    next: 'Install it, or give its full path in app-reload-command.',
  };
}
