import { errors, PublicError } from "../errors/errors.js";
import type { Clock } from "./clock.js";

/** How long a request may take, in seconds. There is no limit to what is left out. */
export interface Timeouts {
  /** From the reservation until the first of its sequences starts. */
  queue?: number | undefined;
  /** From the reservation until the first token comes. */
  firstToken?: number | undefined;
  /** From one token to the next, while some of its sequences run. */
  stall?: number | undefined;
  /** From the reservation until the last of its sequences has ended. */
  total?: number | undefined;
}

export type Deadline = keyof Timeouts;

const deadlines = ["queue", "firstToken", "stall", "total"] as const;

/** Node's longest timer. A longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const awaited: Readonly<Record<Deadline, string>> = {
  queue: "waiting for a slot",
  firstToken: "the first token",
  stall: "the next token",
  total: "the whole answer",
};

export class DeadlineExceeded extends PublicError {
  override name = "DeadlineExceeded";
  constructor(
    readonly deadline: Deadline,
    readonly seconds: number,
  ) {
    const { detail } = errors.deadline_exceeded;
    super("deadline_exceeded", { detail: `${detail}: ${seconds} s for ${awaited[deadline]}` });
  }
}

/** The shorter of the server's own timeouts and those that a request asks for. */
export function within(own: Timeouts, asked: Timeouts = {}): Timeouts {
  const timeouts: Timeouts = {};
  for (const deadline of deadlines) {
    const seconds = Math.min(
      own[deadline] ?? Number.POSITIVE_INFINITY,
      asked[deadline] ?? Number.POSITIVE_INFINITY,
    );
    if (Number.isFinite(seconds)) timeouts[deadline] = seconds;
  }
  return timeouts;
}

/** One request's deadlines, each with a timer of its own. */
export class Deadlines {
  readonly #timeouts: Timeouts;
  readonly #clock: Clock;
  readonly #passed: (error: DeadlineExceeded) => void;
  readonly #armed = new Map<Deadline, () => void>();
  #lastTokenAt: number | null = null;

  /** @param passed called once at most */
  constructor(timeouts: Timeouts, clock: Clock, passed: (error: DeadlineExceeded) => void) {
    this.#timeouts = timeouts;
    this.#clock = clock;
    this.#passed = passed;
    for (const deadline of deadlines) if (deadline !== "stall") this.#arm(deadline, clock.now());
  }

  /** Whether `token` has to be called for each token. */
  get wantTokens(): boolean {
    return this.#timeouts.firstToken !== undefined || this.#timeouts.stall !== undefined;
  }

  /** A sequence has started. */
  started(): void {
    this.#disarm("queue");
    if (this.#lastTokenAt !== null) this.token();
  }

  /** A token has come. */
  token(): void {
    this.#disarm("firstToken");
    this.#lastTokenAt = this.#clock.now();
    if (!this.#armed.has("stall")) this.#arm("stall", this.#lastTokenAt);
  }

  /** No sequence runs now, so that no token can come. */
  paused(): void {
    this.#disarm("stall");
  }

  end(): void {
    for (const deadline of deadlines) this.#disarm(deadline);
  }

  #arm(deadline: Deadline, since: number): void {
    const seconds = this.#timeouts[deadline];
    if (seconds === undefined) return;
    const wait = (ms: number) => {
      this.#armed.set(deadline, this.#clock.after(Math.min(Math.ceil(ms), LONGEST_TIMER_MS), pass));
    };
    const pass = () => {
      // Too early? A stall's timer is not restarted with every token, and Node's timers may fire a moment early.
      const from = deadline === "stall" ? (this.#lastTokenAt ?? since) : since;
      const at = from + seconds * 1000;
      const left = at - this.#clock.now();
      if (left > 0) return wait(left);
      this.end();
      this.#passed(new DeadlineExceeded(deadline, seconds));
    };
    wait(seconds * 1000);
  }

  #disarm(deadline: Deadline): void {
    this.#armed.get(deadline)?.();
    this.#armed.delete(deadline);
  }
}
