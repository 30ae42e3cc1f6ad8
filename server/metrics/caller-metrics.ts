import { Counter, Gauge, type Registry } from "prom-client";
import type { Queue } from "../queue/queue.js";
import { endingOf, queueMs, type Summary } from "../telemetry/summary.js";

/** Cap on callers that are told apart; a file of keys may name thousands. The others count together. */
const MOST_CALLERS = 100;
const OTHERS = "other callers";

/** What each caller does. Only the port of its own tells it: a key must not see other callers' names. */
export class CallerMetrics {
  readonly #named = new Set<string>();
  readonly #requests: Counter<"caller" | "ending">;
  readonly #tokens: Counter<"caller" | "kind">;
  readonly #waited: Counter<"caller">;

  /** @param keyed whether there are callers that keys tell apart */
  constructor(registry: Registry, queue: Pick<Queue<unknown, unknown>, "byCaller">, keyed: () => boolean) {
    const registers = [registry];
    this.#requests = new Counter({
      name: "jai_caller_requests_total",
      help: "Generating requests and jobs that have ended, by caller and ending: ok, refused, failed or cancelled",
      labelNames: ["caller", "ending"],
      registers,
    });
    this.#tokens = new Counter({
      name: "jai_caller_tokens_total",
      help: "Tokens of prompts and tokens that were written, by caller",
      labelNames: ["caller", "kind"],
      registers,
    });
    this.#waited = new Counter({
      name: "jai_caller_queue_seconds_total",
      help: "Time that requests have waited for a slot, by caller",
      labelNames: ["caller"],
      registers,
    });
    const nameOf = (caller: string) => this.#nameOf(caller);
    new Gauge({
      name: "jai_caller_sequences",
      help: "Sequences that run and wait, by caller",
      labelNames: ["caller", "state"],
      registers,
      collect() {
        this.reset();
        if (!keyed()) return;
        for (const [name, { running, waiting }] of queue.byCaller) {
          const caller = nameOf(name);
          this.inc({ caller, state: "running" }, running);
          this.inc({ caller, state: "waiting" }, waiting);
        }
      },
    });
  }

  /** Counts a request or job that has ended. */
  count(summary: Summary): void {
    const { generation } = summary;
    if (summary.caller === null || generation === null) return;
    const caller = this.#nameOf(summary.caller);
    const ending = endingOf(summary);
    if (ending !== "invalid") this.#requests.inc({ caller, ending });
    this.#tokens.inc({ caller, kind: "prompt" }, generation.promptTokens);
    this.#tokens.inc({ caller, kind: "generation" }, generation.completionTokens);
    this.#waited.inc({ caller }, (queueMs(generation) ?? 0) / 1000);
  }

  #nameOf(caller: string): string {
    if (this.#named.has(caller)) return caller;
    if (this.#named.size >= MOST_CALLERS) return OTHERS;
    this.#named.add(caller);
    return caller;
  }
}
