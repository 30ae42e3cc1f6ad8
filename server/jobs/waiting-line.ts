import { type Candidate, type FlowKey, Lanes } from "../queue/lanes.js";
import type { Node } from "../queue/line.js";
import type { Extent } from "../queue/ticket.js";
import { Holdings } from "../shares.js";
import type { Job } from "./job.js";

/** A waiting job's place. */
export interface Place extends Candidate {
  readonly job: Job;
  /** A job counts as one long sequence: its prompt is not read yet, and its sequences share the slots with others. */
  readonly extent: Extent;
}

/**
 * The jobs that wait. They start in the order that requests have in the queue: by priority, which rises with waiting, and
 * within a priority in turns between callers. A job that was interrupted starts before all others.
 */
export class WaitingLine {
  readonly #lanes: Lanes<Place>;
  readonly #nodes = new Map<Job, Node<Place>>();
  /** How many waiting jobs each caller has. */
  readonly #counts = new Holdings();
  /** Interrupted jobs, in the order of their acceptance. */
  #interrupted: Place[] = [];

  /** @param now a clock in milliseconds that is never set back */
  constructor(now: () => number = () => performance.now()) {
    this.#lanes = new Lanes(now);
  }

  get size(): number {
    return this.#counts.sum;
  }

  /** How many of a caller's jobs wait. */
  sizeOf(caller: string): number {
    return this.#counts.of(caller);
  }

  add(job: Job): void {
    this.#counts.take(job.caller);
    this.#nodes.set(job, this.#lanes.push(placeOf(job)));
  }

  /** Takes the job that is to start now, of those whose caller `mayStart`. */
  shift(mayStart: (caller: string) => boolean = () => true): Job | undefined {
    const first = this.#interrupted.findIndex(({ caller }) => mayStart(caller));
    const place = first >= 0 ? this.#interrupted.splice(first, 1)[0] : this.#lanes.shift(mayStart);
    if (place == null) return undefined;
    this.#nodes.delete(place.job);
    this.#counts.give(place.caller);
    return place.job;
  }

  /** Puts an interrupted job back. */
  putBack(job: Job): void {
    this.#counts.take(job.caller);
    // From the end: a start puts thousands back, in their order.
    let index = this.#interrupted.length;
    while (index > 0 && this.#interrupted[index - 1]!.job.order > job.order) index--;
    this.#interrupted.splice(index, 0, placeOf(job));
  }

  remove(job: Job): void {
    const { size } = this;
    this.#interrupted = this.#interrupted.filter((place) => place.job !== job);
    const node = this.#nodes.get(job);
    if (node !== undefined) this.#lanes.remove(node);
    this.#nodes.delete(job);
    if (this.#interrupted.length + this.#lanes.size < size) this.#counts.give(job.caller);
  }

  /**
   * The order in which the jobs will start if nobody else comes, leaves or ages. A job that is still to be added is
   * counted as `extra`, and yields null. Change nothing between two steps.
   */
  order(): Generator<Place>;
  order(extra: Job): Generator<Place | null>;
  *order(extra?: Job): Generator<Place | null> {
    yield* this.#interrupted;
    if (extra === undefined) yield* this.#lanes.order();
    else yield* this.#lanes.order(placeOf(extra));
  }

  /** About how many jobs would start before one that came now. */
  ahead(flow: FlowKey): number {
    return this.#interrupted.length + this.#lanes.ahead(flow, true);
  }
}

function placeOf(job: Job): Place {
  const { caller, priority, maxTokens } = job;
  return { job, caller, priority, tokens: maxTokens, extent: { promptTokens: 0, most: maxTokens } };
}
