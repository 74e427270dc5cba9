/**
 * Waits for a look, but not for ever. Every port keeps its own time limit and tells more than this can; this is for
 * the one that does not. It runs on real time, because what hangs does not move any other clock.
 * @returns `undefined` when the time was over first; the look itself goes on and is not heard any more
 */
export async function within<T>(seconds: number, look: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(
      () => {
        resolve(undefined);
      },
      Math.min(seconds * 1000, 2 ** 31 - 1),
    );
  });
  try {
    return await Promise.race([look, over]);
  } finally {
    clearTimeout(timer);
  }
}
