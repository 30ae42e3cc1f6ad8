import { collectDefaultMetrics, Registry } from "prom-client";

/**
 * Some list every handle of the process, which takes long with many connections. The others measure the event loop's delay
 * with a timer that never rests: `LoopMetrics` has them instead.
 */
const UNUSED = /^nodejs_(active|eventloop_lag)_/;
/** Interval of that timer in milliseconds, which can't be left out: so long that it wakes nobody. */
const NEVER_MS = 86_400_000;

let registry: Registry | null = null;

/**
 * prom-client's own metrics of the process and of Node.js. They are made at the first scrape, since measuring costs
 * something, and once, since several servers in one process share it.
 */
export function processMetrics(): Registry {
  if (registry !== null) return registry;
  registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS });
  for (const { name } of registry.getMetricsAsArray())
    if (UNUSED.test(name)) registry.removeSingleMetric(name);
  return registry;
}
