import { readFileSync } from "node:fs";
import { uptime } from "node:os";

/** What a later process needs to go on with this clock. */
export interface ClockMark {
  /** The clock's time; about milliseconds since 1970. */
  time: number;
  /** Milliseconds since the machine was started. */
  uptime: number;
  /** Tells one run of the machine from another; null where the system has no such thing. */
  boot: string | null;
}

/** Where the clock gets its time from. */
export interface TimeSources {
  /** Milliseconds since 1970; may jump. */
  wall: () => number;
  /** Milliseconds of this process; never jumps. */
  elapsed: () => number;
  uptime: () => number;
  boot: () => string | null;
}

const system: TimeSources = {
  wall: Date.now,
  elapsed: () => performance.now(),
  uptime: () => uptime() * 1000,
  boot: () => {
    try {
      return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    } catch {
      return null;
    }
  },
};

/**
 * Counts milliseconds since 1970 as of its first start, and never jumps, whatever the system's clock does: by it records
 * expire and callbacks are due. Across a restart of the server it goes on by the machine's uptime; across one of the
 * machine by the system's clock, but never backwards.
 */
export class SteadyClock {
  readonly #sources: TimeSources;
  readonly #start: number;
  readonly #startedAt: number;

  /** @param mark of the process before; null for the first one */
  constructor(mark: ClockMark | null, sources: TimeSources = system) {
    this.#sources = sources;
    this.#start = timeAfter(mark, sources);
    this.#startedAt = sources.elapsed();
  }

  readonly now = (): number => Math.floor(this.#start + this.#sources.elapsed() - this.#startedAt);

  mark(): ClockMark {
    const { uptime, boot } = this.#sources;
    return { time: this.now(), uptime: uptime(), boot: boot() };
  }
}

/** Returns a stored value if it is a mark, else null. */
export function readClockMark(value: unknown): ClockMark | null {
  const { time, uptime, boot } = (value ?? {}) as Partial<ClockMark>;
  const isTime = (one: unknown) => typeof one === "number" && one >= 0 && one <= LATEST;
  return isTime(time) && isTime(uptime) && (boot === null || typeof boot === "string")
    ? (value as ClockMark)
    : null;
}

/** Beyond, it would be no date. */
const LATEST = 8.64e15;

function timeAfter(mark: ClockMark | null, { wall, uptime, boot }: TimeSources): number {
  if (mark === null) return wall();
  const isSameRun = mark.boot !== null && mark.boot === boot();
  if (isSameRun && uptime() >= mark.uptime) return mark.time + uptime() - mark.uptime;
  return Math.max(mark.time, wall());
}
