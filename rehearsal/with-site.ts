import { startSite, type Site, type SiteOptions } from './site.ts';

/** Somebody ended the rehearsal from outside; the site is gone already. */
export class Interrupted extends Error {
  readonly signal: NodeJS.Signals;
  /** What a shell reports for a program that this signal ended: 128 plus its number. */
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`Ended by ${signal}.`);
    this.signal = signal;
    this.exitCode = 128 + signalNumbers[signal as keyof typeof signalNumbers];
  }
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const patienceMilliseconds = 15_000;

/**
 * Starts a site, gives it to `body`, and stops it whatever happens. On SIGINT, SIGTERM or SIGHUP
 * `signal` is aborted; `body` then has 15 seconds to end what it began before the site goes; a
 * second signal ends the wait. (If this process is killed or crashes, the guardian cleans up.)
 * @throws Interrupted after a signal; otherwise what `body` threw
 */
export async function withSite<Result>(
  options: SiteOptions,
  body: (site: Site, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController();
  let interruption: Interrupted | undefined;
  let hurry: () => void = () => undefined;
  const outOfPatience = new Promise<undefined>((resolve) => {
    hurry = () => resolve(undefined);
  });
  let timer: NodeJS.Timeout | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    if (interruption !== undefined) {
      hurry();
      return;
    }
    interruption = new Interrupted(name);
    timer = setTimeout(hurry, patienceMilliseconds);
    abort.abort(interruption);
  };
  const names = Object.keys(signalNumbers) as (keyof typeof signalNumbers)[];
  for (const name of names) process.on(name, onSignal);
  let site: Site | undefined;
  try {
    site = await startSite({ ...options, signal: abort.signal });
    abort.signal.throwIfAborted();
    const result = body(site, abort.signal);
    // A body that outlasts the wait may fail later, when nobody listens any more.
    result.catch(() => undefined);
    const ended = await Promise.race([result.then((value) => ({ value })), outOfPatience]);
    abort.signal.throwIfAborted();
    if (ended === undefined) throw new Error('The wait ended, but nobody interrupted it.');
    return ended.value;
  } catch (error) {
    throw interruption ?? error;
  } finally {
    await site?.stop();
    clearTimeout(timer);
    for (const name of names) process.off(name, onSignal);
  }
}
