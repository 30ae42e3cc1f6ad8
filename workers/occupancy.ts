/**
 * How many sequences each worker has, as the workers tell each other.
 *
 * Shared memory: int32 [workers].
 */
export class Occupancy {
  readonly buffer: SharedArrayBuffer;
  readonly #sequences: Int32Array;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#sequences = new Int32Array(buffer);
  }

  static for(workers: number): Occupancy {
    return new Occupancy(new SharedArrayBuffer(workers * Int32Array.BYTES_PER_ELEMENT));
  }

  static over(buffer: SharedArrayBuffer): Occupancy {
    return new Occupancy(buffer);
  }

  enter(worker: number): void {
    Atomics.add(this.#sequences, worker, 1);
  }

  leave(worker: number): void {
    Atomics.sub(this.#sequences, worker, 1);
  }

  /** Notes that a worker is gone, with its sequences. */
  clear(worker: number): void {
    Atomics.store(this.#sequences, worker, 0);
  }

  /** Whether no other worker has a sequence. */
  isAlone(worker: number): boolean {
    return this.#sequences.every(
      (_, other) => other === worker || Atomics.load(this.#sequences, other) === 0,
    );
  }
}
