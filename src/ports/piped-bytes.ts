import type { Host, PipeStage, StageResult } from './host.ts';

/** Hands chunks over one by one: who gives waits until who takes has asked for the next. */
class Handover {
  #chunk: Uint8Array | undefined;
  #ended = false;
  #abandoned = false;
  #wake: () => void = () => undefined;

  async give(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0) return;
    await this.#taken();
    this.#chunk = chunk;
    this.#wake();
    await this.#taken();
  }

  async #taken(): Promise<void> {
    await this.#until(() => this.#chunk === undefined || this.#abandoned);
    if (this.#abandoned) throw new Abandoned();
  }

  /** `undefined` at the end. */
  async take(): Promise<Uint8Array | undefined> {
    await this.#until(() => this.#chunk !== undefined || this.#ended);
    const chunk = this.#chunk;
    this.#chunk = undefined;
    this.#wake();
    return chunk;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#wake();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const before = this.#wake;
      await new Promise<void>((resolve) => {
        this.#wake = () => {
          before();
          resolve();
        };
      });
    }
  }
}

/** Nobody takes the bytes any more. */
class Abandoned extends Error {}

/**
 * What a pipeline on a host prints, in constant memory; the programs wait for whoever reads, and are ended when he
 * stops. The end is told only after `judge` has seen how each program fared: bytes of a failed pipeline never look
 * whole.
 * @throws what `judge` throws, and what {@link Host.pipe} does
 */
export async function* pipedBytes(
  host: Pick<Host, 'pipe'>,
  stages: readonly [PipeStage, ...PipeStage[]],
  judge: (results: readonly StageResult[]) => void,
  source?: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const handover = new Handover();
  const running = host
    .pipe(stages, {
      sink: (chunk) => handover.give(chunk),
      ...(source === undefined ? {} : { source }),
    })
    .finally(() => {
      handover.end();
    });
  running.catch(() => undefined);
  try {
    for (;;) {
      const chunk = await handover.take();
      if (chunk === undefined) break;
      yield chunk;
    }
    judge(await running);
  } finally {
    handover.abandon();
    await running.catch(() => undefined);
  }
}
