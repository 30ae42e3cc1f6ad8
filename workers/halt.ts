import { threadId } from "node:worker_threads";

/** A thread's mark in shared memory: not 0, even for the main thread. */
const MINE = threadId + 1;

/**
 * Lets the main thread wait until no worker is inside the native runtime: ending a thread there ends the whole process
 * (ONNX Runtime's binding throws where nobody can catch it).
 *
 * Shared memory, int32 [1 + workers]: whether the halt is called, then for each worker 0, or the mark of the thread that is
 * on its way in, negative while it is in the native code itself. A thread that is stuck there may have a successor at its
 * place, so it removes only its own mark.
 */
export class Halt {
  readonly buffer: SharedArrayBuffer;
  readonly #state: Int32Array;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#state = new Int32Array(buffer);
  }

  static for(workers: number): Halt {
    return new Halt(new SharedArrayBuffer((1 + workers) * Int32Array.BYTES_PER_ELEMENT));
  }

  static over(buffer: SharedArrayBuffer): Halt {
    return new Halt(buffer);
  }

  /**
   * Runs native work of a worker. Once the halt was called, it begins none and never settles.
   * @param onEntering called right before the native code
   */
  async inside<T>(worker: number, work: () => Promise<T>, onEntering = () => {}): Promise<T> {
    const place = 1 + worker;
    // Store first, then look: either the caller sees this worker inside, or this worker sees the call.
    Atomics.store(this.#state, place, MINE);
    try {
      if (Atomics.load(this.#state, 0) === 1) {
        this.#leave(place);
        return await new Promise<T>(() => {});
      }
      // The runtime enters its native code in the next immediate, and so right after this one. Until then other callbacks run.
      setImmediate(() => {
        if (Atomics.compareExchange(this.#state, place, MINE, -MINE) === MINE) onEntering();
      });
      return await work();
    } finally {
      this.#leave(place);
    }
  }

  /** Notes that a worker is gone. */
  leave(worker: number): void {
    Atomics.store(this.#state, 1 + worker, 0);
    Atomics.notify(this.#state, 1 + worker);
  }

  /** From now on no native work begins. */
  call(): void {
    Atomics.store(this.#state, 0, 1);
  }

  /** Whether a worker is in native code. */
  isInside(worker: number): boolean {
    return Atomics.load(this.#state, 1 + worker) < 0;
  }

  /** Whether some worker is still inside, or on its way in. */
  get isPending(): boolean {
    return this.#state.subarray(1).some((_, worker) => Atomics.load(this.#state, 1 + worker) !== 0);
  }

  /** Blocks this thread until all workers are outside, at most for `ms`. Only for the end of the process. */
  wait(ms: number): void {
    const end = performance.now() + ms;
    for (let place = 1; place < this.#state.length; place++)
      for (let mark: number, left: number; ; Atomics.wait(this.#state, place, mark, left)) {
        mark = Atomics.load(this.#state, place);
        left = end - performance.now();
        if (mark === 0 || left <= 0) break;
      }
  }

  #leave(place: number): void {
    for (const mark of [MINE, -MINE]) Atomics.compareExchange(this.#state, place, mark, 0);
    Atomics.notify(this.#state, place);
  }
}
