import { parseArgs } from 'node:util';
import type { ActionId } from '../plan/action-ids.ts';
import { inputsOf } from '../plan/actions.ts';
import { nearest } from '../plan/nearest.ts';
import { metaOf } from '../plan/setting-types.ts';

/** Flags of a command as they were given. */
export type FlagReading =
  | { readonly kind: 'read'; readonly inputs: Readonly<Record<string, string>> }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string };

/** One flag, for the help text. */
export interface Flag {
  readonly name: string;
  readonly description: string;
  readonly takesValue: boolean;
}

/** The flags of a command are the inputs of its action, and `--plan`. */
export function flagsOf(id: ActionId): readonly Flag[] {
  return [
    { name: 'plan', description: 'Path of the plan file.', takesValue: true },
    ...inputsOf(id).map((input) => {
      const meta = metaOf(input.type);
      return { name: input.name, description: meta.description, takesValue: meta.form !== 'flag' };
    }),
  ];
}

/** Reads the arguments of a command; a flag may be given as `--name value` or `--name=value`. */
export function readFlags(id: ActionId, args: readonly string[]): FlagReading {
  const flags = flagsOf(id);
  const options = Object.fromEntries(
    flags.map((flag) => [
      flag.name,
      { type: flag.takesValue ? ('string' as const) : ('boolean' as const) },
    ]),
  );
  if (args.includes('--help') || args.includes('-h')) return { kind: 'help' };
  for (const arg of args.filter((entry) => entry.startsWith('--'))) {
    const name = arg.slice(2).split('=')[0] ?? '';
    if (Object.hasOwn(options, name)) continue;
    const suggestion = nearest(
      name,
      flags.map((flag) => flag.name),
    );
    const hint = suggestion === undefined ? 'see --help' : `did you mean --${suggestion}?`;
    return { kind: 'wrong', message: `unknown flag --${name}; ${hint}` };
  }
  try {
    const { values } = parseArgs({
      args: [...args],
      options,
      strict: true,
      allowPositionals: false,
    });
    const inputs = Object.entries(values).map(([name, value]) => [name, String(value)] as const);
    return { kind: 'read', inputs: Object.fromEntries(inputs) };
  } catch (error) {
    return { kind: 'wrong', message: error instanceof Error ? error.message : String(error) };
  }
}
