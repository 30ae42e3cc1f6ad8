import { standingIn } from "../queue/eta/standing-in.js";
import type { Queue } from "../queue/queue.js";
import type { Job } from "./job.js";
import type { Place, WaitingLine } from "./waiting-line.js";

/** Up to so many waiting jobs, standings are computed anew whenever somebody asks. */
const FEW = 256;
/** The longest Retry-After: an hour. */
const LONGEST_RETRY_S = 3600;
/** The most of the time that computing standings may take; those of a longer line are used for longer. */
const SHARE = 0.05;

export interface JobStanding {
  /** 1 is the next to start. */
  position: number;
  /** Until it starts, in milliseconds; an estimate from recent sequences. Null while the model is loading. */
  waitMs: number | null;
}

/** Where waiting jobs stand: the order of their line, on the slots that waiting requests leave. */
export class JobStandings {
  readonly #line: WaitingLine;
  readonly #queue: Pick<Queue<unknown, unknown>, "state" | "behindWaiting">;
  readonly #now: () => number;
  #all = new Map<Job, JobStanding>();
  #freshUntil = Number.NEGATIVE_INFINITY;

  /** @param now a clock in milliseconds */
  constructor(
    line: WaitingLine,
    queue: Pick<Queue<unknown, unknown>, "state" | "behindWaiting">,
    now = () => performance.now(),
  ) {
    this.#line = line;
    this.#queue = queue;
    this.#now = now;
  }

  /** Of a job that is not in the line: where it would come in. */
  of(job: Job): JobStanding {
    if (this.#line.size <= FEW || this.#now() >= this.#freshUntil) this.#computeAll();
    const { position, waitMs } = this.#all.get(job) ?? this.#ofNewcomer(job);
    return { position, waitMs: this.#queue.state === "loading" ? null : waitMs };
  }

  /** Until a slot is free for the next job, in whole seconds, at least 1. */
  retryAfter(): number {
    return Math.max(Math.ceil(this.#queue.behindWaiting().nextFree / 1000), 1);
  }

  /** Until the next of a caller's jobs starts, in whole seconds, at least 1. Too short for a job that is far back in the line. */
  retryAfterOf(caller: string): number {
    const schedule = this.#queue.behindWaiting();
    let waitMs = 0;
    let seen = 0;
    for (const place of this.#line.order()) {
      waitMs = schedule.next(place.extent);
      if (place.caller === caller || ++seen === FEW) break;
    }
    return Math.min(Math.max(Math.ceil(waitMs / 1000), 1), LONGEST_RETRY_S);
  }

  #computeAll(): void {
    const startedAt = this.#now();
    const schedule = this.#queue.behindWaiting();
    this.#all = new Map();
    for (const { job, extent } of this.#line.order())
      this.#all.set(job, { position: this.#all.size + 1, waitMs: schedule.next(extent) });
    const endedAt = this.#now();
    this.#freshUntil = endedAt + (endedAt - startedAt) / SHARE;
  }

  /** Of a job that is about to be added, or was added after the last computation. */
  #ofNewcomer(job: Job): JobStanding {
    const isIt = (place: Place | null) => place === null || place.job === job;
    const far = () => this.#line.ahead(job) + 1;
    return standingIn(this.#line.order(job), this.#queue.behindWaiting(), isIt, far);
  }
}
