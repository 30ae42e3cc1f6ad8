import type { Readable, Series } from "./published.js";

/** Counts that somebody else keeps: how many values each bucket has got, and the sum of all values. */
export interface Counted {
  /** One for each bound, and a last one for what is above. Missing ones are 0. */
  counts: readonly number[];
  sum: number;
}

/**
 * A histogram whose values are counted elsewhere, such as by the workers in shared memory. It is read when it is scraped,
 * so that a value costs nothing here.
 * @param bounds upper bounds of the buckets, ascending
 */
export function countedHistogram(
  { name, help, bounds }: { name: string; help: string; bounds: readonly number[] },
  read: () => Counted,
): Readable & { name: string } {
  return {
    name,
    get: () => Promise.resolve({ name, help, type: "histogram", values: seriesOf(name, bounds, read()) }),
  };
}

function seriesOf(name: string, bounds: readonly number[], { counts, sum }: Counted): Series[] {
  let count = 0;
  const buckets = [...bounds, "+Inf"].map((le, bucket) => {
    count += counts[bucket] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: count },
  ];
}
