import type { DecodeRow, Precision, Results } from "./results.js";
import { median, type Spread, spread } from "./statistics.js";

/** Questions that reports and targets put to a run's rows; null where nothing was measured. */

export function closedRate(
  { closed }: Results,
  where: { model: string; system: string; clients: number; stream: boolean },
): Spread | null {
  return spread(closed.filter((row) => matches(row, where)).map((row) => row.tokensPerSecond));
}

/** Medians over repeats of a decode step's times. */
export function decodeStep(
  { decode }: Results,
  where: { model: string; precision: Precision; batch: number; depth: number },
): DecodeRow | null {
  const rows = decode.filter((row) => matches(row, where));
  const [first] = rows;
  if (!first) return null;
  const parts = [
    "step",
    "native",
    "sampling",
    "cache",
    "delivery",
    "rest",
    "products",
    "productsAndAttention",
  ] as const;
  const medians = parts.map((part) => [part, median(rows.map((row) => row[part]))]);
  const reading = first.reading === null ? null : median(rows.map((row) => row.reading!));
  const memory = first.memory === null ? null : median(rows.map((row) => row.memory!));
  return { ...first, ...Object.fromEntries(medians), reading, memory };
}

/** How fast a step is against a ceiling: the median of the repeats' own ratios, as the machine's speed drifts between them. */
export function ceilingShare(
  { decode }: Results,
  where: { model: string; precision: Precision; batch: number; depth: number },
  ceiling: "products" | "productsAndAttention" | "reading" | "memory",
): number | null {
  const shares = decode
    .filter((row) => matches(row, where))
    .flatMap((row) => (row[ceiling] === null ? [] : row[ceiling] / row.step));
  return shares.length === 0 ? null : median(shares);
}

/** Tokens per second that our engine decodes in int8 at about half of the window. */
export function engineRate(results: Results, model: string, batch: number): number | null {
  const context = results.models.find(({ name }) => name === model)?.context ?? 0;
  const depth = Math.floor(context / 2);
  const step = decodeStep(results, { model, precision: "int8", batch, depth });
  return step && (1000 * batch) / step.step;
}

/** What HTTP leaves of the engine's rate: the median of the repeats' own ratios. */
export function servedShare(
  { closed, alone }: Results,
  where: { model: string; system: string; clients: number },
): number | null {
  const shares = alone
    .filter(({ model, clients }) => model === where.model && clients === where.clients)
    .flatMap(({ repeat, tokensPerSecond }) => {
      const served = closed.find((row) => !row.stream && row.repeat === repeat && matches(row, where));
      return served ? served.tokensPerSecond / tokensPerSecond : [];
    });
  return shares.length === 0 ? null : median(shares);
}

export function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

export function matches<Row extends object>(row: Row, where: Partial<Row>): boolean {
  return Object.entries(where).every(([key, value]) => row[key as keyof Row] === value);
}
