import { Counter, Histogram, type Registry } from "prom-client";
import { errors } from "../errors/errors.js";
import { endingOf, endingOfError, type Summary } from "../telemetry/summary.js";
import { SECONDS } from "./buckets.js";

/** Methods that are told apart. */
const METHODS = new Set(["GET", "HEAD", "POST", "DELETE", "OPTIONS"]);

/** What became of requests, whether they generate or not. Routes are those of openapi.yaml, so there are few. */
export class RequestMetrics {
  readonly #requests: Counter<"method" | "route" | "status">;
  readonly #seconds: Histogram<"route">;
  /** By what an error means. */
  readonly #errors: Record<"refused" | "invalid" | "failed", Counter<"code">>;
  readonly #replays: Counter;
  readonly #prepared: Histogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: "jai_http_requests_total",
      help: "HTTP requests that have ended, by method, path of openapi.yaml (others: other) and status (none: the client left before an answer)",
      labelNames: ["method", "route", "status"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "jai_http_request_duration_seconds",
      help: "From an HTTP request's arrival to the end of its answer",
      labelNames: ["route"],
      buckets: SECONDS,
      registers,
    });
    const byCode = (name: string, help: string) =>
      new Counter({
        name,
        help: `Requests and jobs ${help}, by error code`,
        labelNames: ["code"],
        registers,
      });
    this.#errors = {
      refused: byCode("jai_refusals_total", "that were refused for want of room or for a limit"),
      invalid: byCode("jai_invalid_requests_total", "that are no valid ones, or not allowed"),
      failed: byCode("jai_failures_total", "that failed"),
    };
    // A rate begins at a series' first value, so that without these the first refusal would be missed.
    for (const [code, { status }] of Object.entries(errors))
      this.#errors[endingOfError(status)].inc({ code }, 0);
    this.#replays = new Counter({
      name: "jai_idempotent_replays_total",
      help: "Answers that were stored for an Idempotency-Key and sent again",
      registers,
    });
    this.#prepared = new Histogram({
      name: "jai_request_prepare_time_seconds",
      help: "From a request's reservation until its prompt is tokenized and its form compiled",
      buckets: SECONDS,
      registers,
    });
  }

  /** Counts a request or job that has ended. */
  count(summary: Summary): void {
    const { kind, method, route, status, error, replayed, generation } = summary;
    if (kind === "request") {
      const path = route ?? "other";
      this.#requests.inc({
        method: METHODS.has(method) ? method : "other",
        route: path,
        status: status ?? "none",
      });
      this.#seconds.observe({ route: path }, (summary.endedAt - summary.receivedAt) / 1000);
    }
    const ending = endingOf(summary);
    if (ending !== "ok" && ending !== "cancelled")
      this.#errors[ending].inc({ code: error?.code ?? "replayed" });
    if (replayed) this.#replays.inc();
    if (generation !== null && generation.preparedAt !== null)
      this.#prepared.observe((generation.preparedAt - generation.reservedAt) / 1000);
  }
}
