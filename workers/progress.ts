/**
 * What each worker has done, as the main thread sees it: a worker that has work and makes no step is dead, even if its
 * thread lives.
 *
 * Shared memory, int32 [workers, 2]: the number of a worker's steps (it wraps around), and its longest run of the model in
 * milliseconds.
 */
export class Progress {
  readonly buffer: SharedArrayBuffer;
  readonly #state: Int32Array;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#state = new Int32Array(buffer);
  }

  static for(workers: number): Progress {
    return new Progress(new SharedArrayBuffer(2 * workers * Int32Array.BYTES_PER_ELEMENT));
  }

  static over(buffer: SharedArrayBuffer): Progress {
    return new Progress(buffer);
  }

  /** Notes that a worker has got on: with a run of the model, or with one sequence's next token. */
  step(worker: number): void {
    Atomics.add(this.#state, 2 * worker, 1);
  }

  /**
   * Notes a run of the model, which is the longest work between two steps.
   * @param isReplaced whether the worker was given up meanwhile: its run must not make its successor's patience longer
   */
  async run<T>(worker: number, work: () => Promise<T>, isReplaced = () => false): Promise<T> {
    const begun = performance.now();
    this.step(worker);
    const result = await work();
    if (isReplaced()) return result;
    const ms = Math.min(Math.ceil(performance.now() - begun), 2 ** 31 - 1);
    if (ms > this.longestRun(worker)) Atomics.store(this.#state, 2 * worker + 1, ms);
    this.step(worker);
    return result;
  }

  steps(worker: number): number {
    return Atomics.load(this.#state, 2 * worker);
  }

  /** In milliseconds; 0 before the first run has ended. */
  longestRun(worker: number): number {
    return Atomics.load(this.#state, 2 * worker + 1);
  }

  /** Notes that a worker is gone. Its successor's first runs may take longer than its own did. */
  clear(worker: number): void {
    Atomics.store(this.#state, 2 * worker + 1, 0);
  }
}
