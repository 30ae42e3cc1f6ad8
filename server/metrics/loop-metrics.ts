import { Gauge, type Registry } from "prom-client";
import type { Delays } from "../live/loop-delay.js";

/** In prom-client's words. */
const HELP: Record<keyof Delays, string> = {
  min: "The minimum recorded event loop delay.",
  max: "The maximum recorded event loop delay.",
  mean: "The mean of the recorded event loop delays.",
  stddev: "The standard deviation of the recorded event loop delays.",
  p50: "The 50th percentile of the recorded event loop delays.",
  p90: "The 90th percentile of the recorded event loop delays.",
  p99: "The 99th percentile of the recorded event loop delays.",
};

/**
 * The event loop's delay since the scrape before, under prom-client's names. Its own would need a timer that wakes an idle
 * server fifty times a second.
 * @param take in milliseconds, since the last call
 */
export function addLoopMetrics(registry: Registry, take: () => Delays): void {
  const gaugeOf = (name: keyof Delays) =>
    new Gauge({ name: `nodejs_eventloop_lag_${name}_seconds`, help: HELP[name], registers: [registry] });
  const names = Object.keys(HELP) as (keyof Delays)[];
  const gauges = new Map<keyof Delays, Gauge>();
  new Gauge({
    name: "nodejs_eventloop_lag_seconds",
    help: "Lag of event loop in seconds.",
    registers: [registry],
    // The first of them reads for all, so that they tell of the same time.
    async collect() {
      const delays = take();
      for (const [name, gauge] of gauges) gauge.set(delays[name] / 1000);
      const asked = performance.now();
      await new Promise((resolve) => setImmediate(resolve));
      this.set((performance.now() - asked) / 1000);
    },
  });
  for (const name of names) gauges.set(name, gaugeOf(name));
}
