import { failureOf } from '../../ports/failure.ts';
import type { Check } from '../../ports/maintenance-mode.ts';
import { bypassCheck } from '../bypass-check.ts';
import { isProgramThere } from '../user-command.ts';
import type { CommandContext } from './context.ts';
import { commandState } from './door.ts';

/** All checks of the command mode; of the commands only the one for the status is run. */
export async function checkCommands(context: CommandContext): Promise<readonly Check[]> {
  return [
    await checkPrograms(context),
    await checkStatus(context),
    bypassCheck('command-bypass', context.settings.bypassHeader),
  ];
}

async function checkPrograms({ host, settings }: CommandContext): Promise<Check> {
  const title = {
    id: 'command-programs',
    title: 'Commands that close, open and tell',
    limit: 'their programs are there',
  };
  const { closeCommand, openCommand, statusCommand, commands } = settings;
  const missing: string[] = [];
  for (const argv of [closeCommand, openCommand, statusCommand]) {
    if (!(await isProgramThere(host, argv, commands))) missing.push(argv[0] ?? '');
  }
  if (missing.length === 0) {
    const programs = [closeCommand, openCommand, statusCommand].map(([program]) => program);
    return { ...title, verdict: 'passed', value: [...new Set(programs)].join(', ') };
  }
  return {
    ...title,
    verdict: 'failed',
    value: `not found on ${host.name}: ${[...new Set(missing)].join(', ')}`,
    next: 'Install it, or give its full path, or the folder that it is in as command-directory.',
  };
}

async function checkStatus(context: CommandContext): Promise<Check> {
  const title = {
    id: 'command-status',
    title: 'The status command says that the site is open',
    limit: 'open',
  };
  try {
    const state = await commandState(context);
    switch (state.kind) {
      case 'open':
        return { ...title, verdict: 'passed', value: 'open' };
      case 'closed':
        return { ...title, verdict: 'passed', value: 'closed by this window' };
      case 'closed-by-another':
        return {
          ...title,
          verdict: 'failed',
          value: `closed by ${state.holder}`,
          next: 'Ask who closed the site to open it, or open it by hand.',
        };
    }
  } catch (error) {
    const { code, message, next } = failureOf(error);
    if (code === 'cancelled') throw error;
    return { ...title, verdict: 'failed', value: message, next };
  }
}
