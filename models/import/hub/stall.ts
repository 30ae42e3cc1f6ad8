import { PassingError } from "./passing-error.js";

/** The chunks of an answer. @throws PassingError when the connection breaks or stalls */
export async function* chunksOf({ body }: Response, stall: Stall): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  while (reader !== undefined) {
    const next = await reader.read().catch((error: unknown) => {
      throw new PassingError(reasonOf(error, stall));
    });
    if (next.done) return;
    stall.moved();
    yield next.value;
  }
}

/** Aborts a request when nothing moves for too long, and at its end. */
export class Stall {
  readonly ms: number;
  /** Whether the request stalled. */
  happened = false;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.ms = ms;
    this.#timer = setTimeout(() => {
      this.happened = true;
      this.#controller.abort();
    }, ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  moved(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}

/** Why a request failed, in few words. */
export function reasonOf(error: unknown, stall: Stall): string {
  if (stall.happened) return `nothing for ${stall.ms / 1000} s`;
  const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
  return cause?.code ?? cause?.message ?? message;
}
