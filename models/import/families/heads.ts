import type { Sizes } from "../weights.js";
import type { Source } from "./family.js";

type HeadSizes = Pick<Sizes, "heads" | "kvHeads" | "headDim">;

/** Rows of a model's projections, and the settings' names for its heads. */
export interface Known {
  /** Rows of the queries' projection, over all heads. */
  queries: number;
  /** Rows of the keys' projection. Default: as many. */
  keys?: number;
  /** Width of a head, if the tensors tell it. */
  headDim?: number | null;
  /** The setting's name. */
  key: string;
  /** The setting's name of a head's width, if there is one. */
  widthKey?: string;
}

/**
 * How many heads a model has, by its settings, its tensors, or a flag, in this order.
 * @throws ImportError if nothing tells it, or if the projections don't have that many
 */
export function headSizes({ tensors, settings, asked }: Source, known: Known): HeadSizes {
  const { queries, keys = queries, key, widthKey } = known;
  const told = settings?.has(key) ? settings.size(key) : undefined;
  if (told !== undefined && asked.heads !== undefined && told !== asked.heads)
    throw tensors.error(`--heads is ${asked.heads}, but ${settings!.name} says ${key} = ${told}`);
  const width = widthKey !== undefined && settings?.has(widthKey) ? settings.size(widthKey) : known.headDim;
  const heads = told ?? (width ? queries / width : asked.heads);
  if (heads === undefined)
    throw tensors.error(
      `the checkpoint doesn't say how many attention heads the model has; pass --heads N (${key} in its training script)`,
    );
  const headDim = queries / heads;
  const kvHeads = keys / headDim;
  const whole = [heads, headDim, kvHeads, heads / kvHeads].every(
    (size) => Number.isSafeInteger(size) && size > 0,
  );
  if (!whole)
    throw tensors.error(
      `expected a number of heads that divides the queries' ${queries} rows and the keys' ${keys}, got ${heads}`,
    );
  return { heads, kvHeads, headDim };
}
