/**
 * Lets the main thread wait until no worker is inside the native runtime: ending a thread there ends the whole process
 * (ONNX Runtime's binding throws where nobody can catch it).
 *
 * Shared memory, int32 [1 + workers]: whether the halt is called, then for each worker whether it is inside.
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

  /** Runs native work of a worker. Once the halt was called, it begins none and never settles. */
  async inside<T>(worker: number, work: () => Promise<T>): Promise<T> {
    const place = 1 + worker;
    // Store first, then look: either the caller sees this worker inside, or this worker sees the call.
    Atomics.store(this.#state, place, 1);
    try {
      if (Atomics.load(this.#state, 0) === 1) {
        this.leave(worker);
        return await new Promise<T>(() => {});
      }
      return await work();
    } finally {
      this.leave(worker);
    }
  }

  /** Notes that a worker is outside, or gone. */
  leave(worker: number): void {
    Atomics.store(this.#state, 1 + worker, 0);
    Atomics.notify(this.#state, 1 + worker);
  }

  /** From now on no native work begins. */
  call(): void {
    Atomics.store(this.#state, 0, 1);
  }

  /** Whether some worker is still inside. */
  get isPending(): boolean {
    return this.#state.subarray(1).some((_, worker) => Atomics.load(this.#state, 1 + worker) === 1);
  }

  /** Blocks this thread until all workers are outside, at most for `ms`. Only for the end of the process. */
  wait(ms: number): void {
    const end = performance.now() + ms;
    for (let place = 1; place < this.#state.length; place++)
      Atomics.wait(this.#state, place, 1, Math.max(0, end - performance.now()));
  }
}
