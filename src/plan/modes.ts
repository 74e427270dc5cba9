/**
 * The ways to close a site, and the settings of `enable-maintenance` that each cannot do without. What makes one is
 * in `src/assembly/modes.ts`.
 */
export const modeNeeds = {
  nginx: ['site-files'],
  app: ['app-file', 'app-key'],
  command: ['close-command', 'open-command', 'status-command'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type ModeName = keyof typeof modeNeeds;

/** The modes as `mode` names them. */
export const modeNames = Object.keys(modeNeeds) as [ModeName, ...ModeName[]];

/** What stands when the plan names none. */
export const defaultMode: ModeName = 'nginx';

/** The mode that a plan's text names; `undefined` when it names none that there is. */
export function modeNamed(text: unknown): ModeName | undefined {
  return modeNames.find((name) => name === text);
}

/** The first setting that the plan's mode lacks; `undefined` when it has all that it needs. */
export function settingLackedBy(settings: {
  readonly mode: ModeName;
  readonly [setting: string]: unknown;
}): string | undefined {
  return modeNeeds[settings.mode].find((name) => {
    const given =
      settings[name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    return given === undefined || given === '' || (Array.isArray(given) && given.length === 0);
  });
}
