import { collectDefaultMetrics, Registry } from "prom-client";

/** They list every handle of the process, which takes long with many connections. */
const UNUSED = /^nodejs_active_/;
/** Interval at which the event loop's delay is measured, in milliseconds. */
const RESOLUTION_MS = 20;

let registry: Registry | null = null;

/**
 * prom-client's own metrics of the process and of Node.js. They are made at the first scrape, since measuring costs
 * something, and once, since several servers in one process share it.
 */
export function processMetrics(): Registry {
  if (registry !== null) return registry;
  registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: RESOLUTION_MS });
  for (const { name } of registry.getMetricsAsArray())
    if (UNUSED.test(name)) registry.removeSingleMetric(name);
  return registry;
}
