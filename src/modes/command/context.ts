import * as z from 'zod';
import { fail } from '../../ports/failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Host } from '../../ports/host.ts';
import type { WindowNote } from '../window-note.ts';
import type { CommandModeSettings } from './settings.ts';

/** Says which window runs the close command; written before it runs. */
export const noteSchema = z.strictObject({ version: z.literal(1), windowId: z.string() });
export type CommandNote = z.infer<typeof noteSchema>;

/** Everything that the parts of the command mode share. */
export interface CommandContext {
  readonly host: Host;
  readonly clock: Clock;
  readonly settings: CommandModeSettings;
  readonly closed: WindowNote<CommandNote>;
  readonly prepared: WindowNote<CommandNote>;
}

const priorSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('command'),
  status: z.literal('open'),
});

/** What the command mode remembers: that the application said it was open. */
export type CommandPrior = z.infer<typeof priorSchema>;

/**
 * Reads a prior state from a record.
 * @throws FailureError `prior-unreadable`
 */
export function parsePrior(value: unknown): CommandPrior {
  const parsed = priorSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  return fail({
    code: 'prior-unreadable',
    message: `The prior state of the command mode in the record cannot be read: ${z.prettifyError(parsed.error)}`,
    state: 'Nothing was touched.',
    next: 'Use the version of the software and the mode that began the window.',
  });
}
