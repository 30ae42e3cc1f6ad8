import type { Admission, Entry } from "../admission.js";
import type { Clock } from "../clock.js";
import type { FlowKey, Lanes } from "../lanes.js";
import type { Standing } from "../ticket.js";
import { Corrections } from "./corrections.js";
import type { Schedule } from "./slots.js";
import { standingIn } from "./standing-in.js";

/** How long a Retry-After is reused, so that a flood of refused requests stays cheap. */
const RETRY_MS = 1000;

const keyOf = ({ caller, priority }: FlowKey) => `${priority} ${caller}`;

/** Predicts positions and waits: takes entries in the order of the lanes, and gives them slots by the schedule. */
export class Forecasts<T, R> {
  readonly #clock: Clock;
  readonly #lanes: Lanes<Entry<T, R>>;
  readonly #schedule: () => Schedule;
  readonly #corrections = new Corrections();
  #retries = { at: Number.NEGATIVE_INFINITY, waits: new Map<string | null, number>() };

  constructor(clock: Clock, lanes: Lanes<Entry<T, R>>, schedule: () => Schedule) {
    this.#clock = clock;
    this.#lanes = lanes;
    this.#schedule = schedule;
  }

  /** The standing of a request that was just submitted and has to wait. */
  submitted(admission: Admission<T, R>): Standing {
    const { position, waitMs } = this.#find(admission);
    admission.forecast = { at: this.#clock.now(), waitMs };
    return this.#standing(admission, position, waitMs);
  }

  /** A request has started: learns from the error of its forecast. */
  started(admission: Admission<T, R>): void {
    if (admission.forecast === null) return;
    const { at, waitMs } = admission.forecast;
    this.#corrections.learn(keyOf(admission), waitMs, this.#clock.now() - at);
    admission.forecast = null;
  }

  /** The standings of all waiting requests, in the order in which they will start. */
  *everyStanding(): Generator<[Admission<T, R>, Standing]> {
    const schedule = this.#schedule();
    const seen = new Set<Admission<T, R>>();
    let position = 0;
    for (const { admission, extent } of this.#lanes.order()) {
      const waitMs = schedule.next(extent);
      position++;
      if (seen.has(admission)) continue;
      seen.add(admission);
      yield [admission, this.#standing(admission, position, waitMs)];
    }
  }

  /** How long a request that came now would wait, in milliseconds. Up to a second old. */
  waitOf(flow: FlowKey): number {
    const key = keyOf(flow);
    return this.#recent(key, () => this.#waitOf(flow) * this.#corrections.factorOf(key));
  }

  /** How long until everything has ended, in milliseconds. Up to a second old. */
  waitForAll(): number {
    return this.#recent(null, () => this.behindWaiting().lastFree);
  }

  /** When slots become free for work that starts after everything that waits now. */
  behindWaiting(): Schedule {
    const schedule = this.#schedule();
    for (const { extent } of this.#lanes.order()) schedule.next(extent);
    return schedule;
  }

  #recent(key: string | null, compute: () => number): number {
    const now = this.#clock.now();
    if (now - this.#retries.at >= RETRY_MS) this.#retries = { at: now, waits: new Map() };
    const wait = this.#retries.waits.get(key) ?? compute();
    this.#retries.waits.set(key, wait);
    return wait;
  }

  #waitOf(flow: FlowKey): number {
    const order = this.#lanes.order({ ...flow, tokens: 1 });
    const far = () => this.#lanes.ahead(flow, true) + 1;
    return standingIn(order, this.#schedule(), (entry) => entry === null, far).waitMs;
  }

  #find(admission: Admission<T, R>): { position: number; waitMs: number } {
    // `ahead` counts up to the caller's last entry, which is the request's own last.
    const far = () => this.#lanes.ahead(admission) + 2 - admission.waiting;
    const isIt = (entry: Entry<T, R> | null) => entry?.admission === admission;
    return standingIn(this.#lanes.order(), this.#schedule(), isIt, far);
  }

  #standing(admission: Admission<T, R>, position: number, waitMs: number): Standing {
    const ms = waitMs * this.#corrections.factorOf(keyOf(admission));
    return { position, expectedWait: Math.round(ms / 10) / 100 };
  }
}
