import type { Job } from "./job.js";

/** How many tokens of others' work a job with a priority of 1 more may pass. */
const TOKENS_PER_PRIORITY = 50_000;

interface Place {
  job: Job;
  /** When its turn is, on a clock of tokens served. */
  start: number;
  rank: number;
}

/**
 * The jobs that wait, in the order in which they start: start-time fair queueing (Goyal, Vin, Cheng 1996) between their
 * callers, so that one caller's thousand jobs are one behind the other, and another's first is not behind them. A
 * priority is a head start and no more, so that what is passed gets older and has its turn.
 */
export class WaitingLine {
  /** In order of rank; equal ranks in order of acceptance. */
  readonly #places: Place[] = [];
  readonly #placeOf = new Map<Job, Place>();
  /** When each caller's jobs so far would all have had their turn. */
  readonly #ends = new Map<string, number>();
  #clock = 0;

  get size(): number {
    return this.#places.length;
  }

  add(job: Job): void {
    const place = this.#nextPlace(job);
    this.#ends.set(job.caller, place.start + job.maxTokens);
    this.#insert(place);
  }

  /** Takes the next, of those whose caller's turn it may be. */
  shift(mayStart: (caller: string) => boolean = () => true): Job | undefined {
    const index = this.#places.findIndex(({ job }) => mayStart(job.caller));
    if (index === -1) return undefined;
    const [place] = this.#places.splice(index, 1) as [Place];
    this.#placeOf.delete(place.job);
    this.#clock = Math.max(this.#clock, place.start);
    // Those whose turns have all come have no claims from them; the map stays as small as the line.
    if (this.#places.length === 0) this.#ends.clear();
    return place.job;
  }

  /** Puts one back that was taken: before all who came with its rank. */
  putBack(job: Job): void {
    this.#insert({ job, start: this.#clock, rank: Number.NEGATIVE_INFINITY });
  }

  remove(job: Job): void {
    const place = this.#placeOf.get(job);
    if (place === undefined) return;
    this.#places.splice(this.#indexOf(place), 1);
    this.#placeOf.delete(job);
  }

  /** 1 is the next to start; of a job that isn't in the line, where it would come in. */
  position(job: Job): number {
    return this.#indexOf(this.#placeOf.get(job) ?? this.#nextPlace(job)) + 1;
  }

  #nextPlace(job: Job): Place {
    const start = Math.max(this.#clock, this.#ends.get(job.caller) ?? 0);
    return { job, start, rank: start - job.priority * TOKENS_PER_PRIORITY };
  }

  #insert(place: Place): void {
    this.#places.splice(this.#indexOf(place), 0, place);
    this.#placeOf.set(place.job, place);
  }

  /** How many come before it. */
  #indexOf(place: Place): number {
    let low = 0;
    let high = this.#places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#places[middle]!, place)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isBefore(one: Place, other: Place): boolean {
  return one.rank === other.rank ? one.job.order < other.job.order : one.rank < other.rank;
}
