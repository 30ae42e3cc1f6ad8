import type { Clock } from "../clock.js";
import type { Claim, Lanes } from "../lanes.js";
import type { Sequence, Standing, Ticket } from "../ticket.js";
import type { Schedule } from "./outlook.js";
import { Stretch } from "./stretch.js";

/** One that comes is told its exact place as far as this; behind it, to count all before it would cost more than it tells. */
const NEAR = 256;
/** What refused requests are told is computed anew after so long: a flood of them has to stay cheap. */
const RETRY_MS = 1000;

/** Whose turn, in which class. */
type Flow = Pick<Claim, "caller" | "priority">;

const nameOf = ({ caller, priority }: Flow) => `${priority} ${caller}`;

/** What was foreseen for a request when it was submitted. */
export interface Foretold {
  at: number;
  waitMs: number;
  /** Of those before it, the share that was its caller's own. */
  ownShare: number;
}

/** Where requests stand and how long they will wait: the order of the lanes, on the schedule of the slots. */
export class Forecasts<T, R> {
  readonly #clock: Clock;
  readonly #lanes: Lanes<Sequence<T, R>>;
  readonly #schedule: () => Schedule;
  readonly #stretch = new Stretch();
  #retries = { at: Number.NEGATIVE_INFINITY, waits: new Map<string | null, number>() };

  constructor(clock: Clock, lanes: Lanes<Sequence<T, R>>, schedule: () => Schedule) {
    this.#clock = clock;
    this.#lanes = lanes;
    this.#schedule = schedule;
  }

  /** Of a request that has just been submitted, and has to wait. */
  standingOf(ticket: Ticket<T, R>): Standing {
    const { position, waitMs } = this.#placeOf(ticket);
    const own = this.#lanes.sizeOf(ticket) - ticket.waiting;
    const ownShare = position === 1 ? 0 : Math.min(own / (position - 1), 1);
    ticket.foretold = { at: this.#clock.now(), waitMs, ownShare };
    return this.#standing(ticket, position, waitMs);
  }

  /** Of all that wait, in the order in which they will start. */
  *everyStanding(): Generator<[Ticket<T, R>, Standing]> {
    const schedule = this.#schedule();
    const seen = new Set<Ticket<T, R>>();
    let position = 0;
    for (const { ticket, extent } of this.#lanes.order()) {
      const waitMs = schedule.next(extent);
      position++;
      if (seen.has(ticket)) continue;
      seen.add(ticket);
      yield [ticket, this.#standing(ticket, position, waitMs)];
    }
  }

  /** The first of its sequences starts: what was foretold for it can be compared. */
  started(ticket: Ticket<T, R>): void {
    if (ticket.foretold === null) return;
    const { at, waitMs, ownShare } = ticket.foretold;
    this.#stretch.learn(nameOf(ticket), ownShare, waitMs, this.#clock.now() - at);
    ticket.foretold = null;
  }

  /** How long a request would wait that came now, in milliseconds; no older than a second. */
  waitOf(flow: Flow): number {
    return this.#recent(nameOf(flow), () => this.#waitOf(flow));
  }

  /** Until all that is here has ended, in milliseconds; no older than a second. */
  waitForAll(): number {
    return this.#recent(null, () => {
      const schedule = this.#schedule();
      for (const { extent } of this.#lanes.order()) schedule.next(extent);
      return schedule.end();
    });
  }

  #recent(key: string | null, compute: () => number): number {
    const now = this.#clock.now();
    if (now - this.#retries.at >= RETRY_MS) this.#retries = { at: now, waits: new Map() };
    const wait = this.#retries.waits.get(key) ?? compute();
    this.#retries.waits.set(key, wait);
    return wait;
  }

  #waitOf(flow: Flow): number {
    const schedule = this.#schedule();
    let position = 0;
    for (const entry of this.#lanes.order({ ...flow, tokens: 1 })) {
      if (entry === null) break;
      const waitMs = schedule.next(entry.extent);
      if (++position === NEAR) return (waitMs / NEAR) * (this.#lanes.ahead(flow, true) + 1);
    }
    const ownShare = position === 0 ? 0 : this.#lanes.sizeOf(flow) / position;
    return schedule.next({ promptTokens: 0, most: 1 }) * this.#stretch.of(nameOf(flow), ownShare);
  }

  #placeOf(ticket: Ticket<T, R>): { position: number; waitMs: number } {
    const schedule = this.#schedule();
    let position = 0;
    for (const entry of this.#lanes.order()) {
      const waitMs = schedule.next(entry.extent);
      position++;
      if (entry.ticket === ticket) return { position, waitMs };
      if (position < NEAR) continue;
      // `ahead` is of the last of its caller's, which is the last of its own.
      const far = Math.max(this.#lanes.ahead(ticket) + 2 - ticket.waiting, NEAR + 1);
      return { position: far, waitMs: (waitMs / NEAR) * far };
    }
    throw new Error("expected a request that waits");
  }

  #standing(ticket: Ticket<T, R>, position: number, waitMs: number): Standing {
    const ms = waitMs * this.#stretch.of(nameOf(ticket), ticket.foretold?.ownShare ?? 0);
    return { position, expectedWait: Math.round(ms / 10) / 100 };
  }
}
