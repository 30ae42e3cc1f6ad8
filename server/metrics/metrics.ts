import { Registry } from "prom-client";
import type { Live } from "../live/live.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import { CallerMetrics } from "./caller-metrics.js";
import { addLoopMetrics } from "./loop-metrics.js";
import { ModelMetrics, type ModelMetricsParts } from "./model-metrics.js";
import { processMetrics } from "./process-metrics.js";
import type { MetricsNames } from "./published.js";
import { RequestMetrics } from "./request-metrics.js";
import { StateMetrics, type StateMetricsParts } from "./state-metrics.js";

export interface MetricsParts extends StateMetricsParts, ModelMetricsParts {
  queue: StateMetricsParts["queue"] & ModelMetricsParts["queue"];
  model: StateMetricsParts["model"];
  plan: StateMetricsParts["plan"];
  live: StateMetricsParts["live"] & ModelMetricsParts["live"] & Pick<Live, "takeLoopDelays">;
  telemetry: Telemetry;
  /** Whether there are callers that keys tell apart. */
  keyed: () => boolean;
}

/** A text serves everybody who asks within this time, so that many who ask cost no more than one. */
const FRESH_MS = 200;

interface Text {
  text: Promise<string>;
  until: number;
}

/** All metrics, in Prometheus' text format. */
export class Metrics {
  static readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #model: ModelMetrics;
  readonly #own = new Registry();
  readonly #ofCallers = new Registry();
  readonly #fresh = new Map<boolean, Text>();

  constructor(parts: MetricsParts, names: MetricsNames) {
    this.#model = new ModelMetrics(parts, names);
    const requests = new RequestMetrics(this.#own);
    new StateMetrics(this.#own, parts);
    addLoopMetrics(this.#own, () => parts.live.takeLoopDelays());
    const callers = new CallerMetrics(this.#ofCallers, parts.queue, parts.keyed);
    parts.telemetry.on("started", (summary) => this.#model.started(summary));
    parts.telemetry.on("first_token", (summary) => this.#model.firstToken(summary));
    parts.telemetry.on("ended", (summary) => {
      this.#model.count(summary);
      requests.count(summary);
      callers.count(summary);
    });
  }

  /** @param withCallers whether it tells callers' names */
  text(withCallers: boolean): Promise<string> {
    const now = performance.now();
    const known = this.#fresh.get(withCallers);
    if (known !== undefined && now < known.until) return known.text;
    const text = this.#render(withCallers);
    this.#fresh.set(withCallers, { text, until: now + FRESH_MS });
    return text;
  }

  async #render(withCallers: boolean): Promise<string> {
    const registries = [this.#model.registry, this.#own, processMetrics()];
    if (withCallers) registries.push(this.#ofCallers);
    const texts = await Promise.all(registries.map((registry) => registry.metrics()));
    return texts.join("\n");
  }
}
