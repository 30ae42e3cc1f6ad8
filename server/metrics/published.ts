import type { Metric, Registry } from "prom-client";

/** Whose names the metrics have that vLLM has too: ours, vLLM's, or both. */
export type MetricsNames = "jai" | "vllm" | "both";

/** One line of the text. */
export interface Series {
  /** Default: the metric's name. */
  metricName?: string;
  labels: Readonly<Record<string, string | number | undefined>>;
  value: number;
}

/** What a registry needs of a metric. prom-client's own classes have a name too, which their types hide. */
export interface Readable {
  get(): Promise<{ name: string; help: string; type: unknown; values: Series[] }>;
}

/**
 * Adds a metric that vLLM has too, under the chosen names.
 * @param metric of no registry yet
 * @param name its name, `jai_…`
 * @param tails of vLLM's names, the deprecated ones too: what follows `vllm:`
 */
export function publish(
  registry: Registry,
  names: MetricsNames,
  metric: Readable,
  name: string,
  tails: readonly string[],
): void {
  if (names !== "vllm") register(registry, metric);
  if (names === "jai") return;
  for (const tail of tails) register(registry, renamed(metric, name, `vllm:${tail}`));
}

function register(registry: Registry, metric: Readable): void {
  // The registry calls only `get`; the type asks for one of four classes.
  registry.registerMetric(metric as unknown as Metric);
}

/** The same values under another name. */
function renamed(metric: Readable, from: string, to: string): Readable & { name: string } {
  return {
    name: to,
    async get() {
      const object = await metric.get();
      // A histogram's series are named after it: `…_bucket`, `…_sum`, `…_count`.
      const values = object.values.map(({ metricName = from, ...series }) => ({
        ...series,
        metricName: to + metricName.slice(from.length),
      }));
      return { ...object, name: to, values };
    },
  };
}
