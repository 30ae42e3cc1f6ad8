import { Gauges } from "../../workers/gauges.js";
import { Halt } from "../../workers/halt.js";
import { Occupancy } from "../../workers/occupancy.js";
import { Progress } from "../../workers/progress.js";
import type { WorkerSetup } from "../../workers/protocol.js";

/** The shared memory of the workers' places: a place is a device, with at most one living worker that claims it. */
export class Places {
  readonly halt: Halt;
  readonly gauges: Gauges;
  readonly #occupancy: Occupancy;
  readonly #progress: Progress;
  /** For each place the thread id of its worker, or 0. */
  readonly #claims: Int32Array<SharedArrayBuffer>;

  /** @param slots of each worker */
  constructor(places: number, slots: number) {
    this.halt = Halt.for(places);
    this.gauges = Gauges.for(places, slots);
    this.#occupancy = Occupancy.for(places);
    this.#progress = Progress.for(places);
    this.#claims = new Int32Array(new SharedArrayBuffer(places * Int32Array.BYTES_PER_ELEMENT));
  }

  /** What a worker needs of it. */
  get setup(): Pick<WorkerSetup, "claims" | "halt" | "occupancy" | "progress" | "gauges"> {
    return {
      claims: this.#claims.buffer,
      halt: this.halt.buffer,
      occupancy: this.#occupancy.buffer,
      progress: this.#progress.buffer,
      gauges: this.gauges.buffers,
    };
  }

  /** A thread's place; -1 without one. */
  of(thread: number): number {
    return this.#claims.indexOf(thread);
  }

  /** The thread id of a place's worker, or 0. */
  ownerOf(place: number): number {
    return this.#claims[place]!;
  }

  /** How far the worker of a place has got. */
  pace(place: number): { steps: number; longestRunMs: number } {
    return { steps: this.#progress.steps(place), longestRunMs: this.#progress.longestRun(place) };
  }

  /** Frees the places of threads that are not among the living; an exited thread has lost its id. */
  keep(living: ReadonlySet<number>): void {
    for (const [place, owner] of this.#claims.entries())
      if (owner !== 0 && !living.has(owner)) this.#free(place, owner);
  }

  /**
   * Takes its place away from a thread that still lives. From then on it does no native work, and ends itself where it
   * would.
   * @returns whether the thread was inside the native runtime, where it can't be ended
   */
  takeFrom(thread: number): boolean {
    const place = this.of(thread);
    if (place < 0) return false;
    // Whoever claims it next must find a part of its own.
    this.gauges.clear(place);
    Atomics.store(this.#claims, place, 0);
    // Only now look: a thread enters first, and then looks whether the place is still its own.
    const inside = this.halt.isInside(place);
    this.#clear(place);
    return inside;
  }

  #free(place: number, owner: number): void {
    this.gauges.clear(place);
    this.#clear(place);
    Atomics.compareExchange(this.#claims, place, owner, 0);
  }

  #clear(place: number): void {
    this.halt.leave(place);
    this.#occupancy.clear(place);
    this.#progress.clear(place);
  }
}
