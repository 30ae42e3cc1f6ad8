import type { Response } from "express";
import { PublicError } from "../errors/errors.js";
import { callerOf, hasValidKey } from "../keys/authenticate.js";
import type { Callers } from "../keys/callers.js";
import { Holdings, shareOf } from "../shares.js";
import { EventResponse, type EventStreamOptions, event } from "../streams/event-response.js";
import type { Live } from "./live.js";
import type { StatusBoard } from "./status.js";

/** How many may look at once. */
const MOST = 64;
/** A comment follows after so many seconds without room for an event. */
const QUIET_SECONDS = 9;

export interface WatchersParts {
  live: Live;
  callers: Callers;
  board: StatusBoard;
  streams?: EventStreamOptions | undefined;
  /** How many streams each caller has. Default: none */
  watching?: Holdings | undefined;
}

interface Watcher {
  name: string;
  /** Whether its key is still valid. */
  isAllowed: () => boolean;
}

/**
 * Those who look at the server's state: each gets the last five minutes, and then an event a second. All of one caller
 * share an event's text. A slow one misses events instead of gathering them.
 */
export class Watchers {
  readonly #parts: WatchersParts;
  readonly #held: Holdings;
  readonly #watchers = new Map<EventResponse, Watcher>();
  #closed = false;

  constructor(parts: WatchersParts) {
    this.#parts = parts;
    this.#held = parts.watching ?? new Holdings();
    parts.live.on("tick", () => this.#tell());
    parts.live.on("closed", () => this.#end());
    parts.callers.on("replaced", () => this.#endRevoked());
  }

  /** @throws PublicError if too many look already */
  add(res: Response): void {
    const { live, callers, board, streams } = this.#parts;
    const { name } = callerOf(res);
    const { several } = callers;
    if (this.#held.of(name) >= shareOf(MOST, several))
      throw new PublicError(several ? "caller_watchers_full" : "overloaded", { retryAfter: 1 });
    if (this.#held.sum >= MOST) throw new PublicError("overloaded", { retryAfter: 1 });
    this.#held.take(name);
    const response = new EventResponse(res, {
      ...streams,
      beatMs: 1000,
      quietBeats: QUIET_SECONDS,
      onRoom: () => {},
    });
    this.#watchers.set(response, { name, isAllowed: () => hasValidKey(callers, res.req) });
    res.once("close", () => {
      this.#watchers.delete(response);
      this.#held.give(name);
    });
    const until = new Date().toISOString();
    response.write(event({ until, ...live.history }, { name: "history" }));
    response.write(event(board.shared({ name }), { name: "status" }));
    if (this.#closed) response.end("");
  }

  /** A stop would wait for open streams. */
  #end(): void {
    this.#closed = true;
    for (const response of this.#watchers.keys()) response.end("");
  }

  /** Whoever lost the key must not look on; a page that asks again learns that it needs another. */
  #endRevoked(): void {
    for (const [response, { isAllowed }] of this.#watchers) if (!isAllowed()) response.end("");
  }

  #tell(): void {
    if (this.#watchers.size === 0) return;
    const statusOf = this.#parts.board.anew();
    const events = new Map<string, string>();
    for (const [response, { name }] of this.#watchers) {
      if (!response.isOpen) continue;
      const text = events.get(name) ?? event(statusOf({ name }), { name: "status" });
      events.set(name, text);
      response.write(text);
    }
  }
}
