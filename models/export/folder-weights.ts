import { GPT } from "../architecture.js";
import type { ModelConfig } from "../config.js";
import { ModelError } from "../files/error.js";
import type { ModelFolder } from "../folder.js";
import { type GraphWeight, readGraphValues, readGraphWeights } from "../graph-weights.js";
import { queriesScaled } from "../import/graph/attention.js";
import { columnsInOrder, outputsInOrder, rowsTimes, transpose } from "../import/rearranged.js";
import type { LayerWeights, Linear, ModelWeights, Norm, Sizes, WeightSource } from "../import/weights.js";

/**
 * The weights of a model folder's graph as a checkpoint has them: what `import` folded into them for the graph is taken
 * back. Those of an int8 folder are its integers times their scales.
 * @throws ModelError for a graph that isn't one of `import`
 */
export function readFolderWeights({
  config,
  graphPath,
}: Pick<ModelFolder, "config" | "graphPath">): ModelWeights {
  const read = new GraphReader(graphPath);
  const sizes = sizesOf(config, read);
  const { architecture = GPT } = config;
  const head = read.linear("head");
  const tokens = read.source("tokens");
  return {
    sizes,
    architecture,
    epsilon: config.layer_norm_epsilon,
    tokens,
    positions: read.optional("positions"),
    layers: Array.from({ length: sizes.layers }, (_, layer) => layerOf(read, layer, sizes, config)),
    finalNorm: read.norm("final_norm"),
    head,
    tied: false,
    close: async () => {},
  };
}

function sizesOf(config: ModelConfig, read: GraphReader): Sizes {
  return {
    vocab: config.vocab_size,
    context: config.n_positions,
    layers: config.n_layer,
    heads: config.n_head,
    kvHeads: config.n_kv_head,
    headDim: config.head_dim,
    width: config.n_embd,
    hidden: read.linear("layers.0.mlp_proj").weight.shape[1]!,
  };
}

function layerOf(
  read: GraphReader,
  layer: number,
  sizes: Sizes,
  { architecture }: ModelConfig,
): LayerWeights {
  const { heads, kvHeads, headDim } = sizes;
  const name = `layers.${layer}`;
  const { order, inverse } = headOrder(sizes);
  const factors = read.optional(`${name}.factors`)?.read ?? (async () => queriesScaled(sizes));
  const turning = (heads + kvHeads) * headDim;
  const qkv = read.linear(`${name}.qkv`);
  const proj = read.linear(`${name}.proj`);
  const hasNorm = architecture.qk_norm !== null;
  // Where queries and keys are normalized, their factors are in the norm's weight.
  const unscaled = (source: WeightSource) =>
    rowsDivided(source, async () =>
      (await factors()).map((factor, row) => (hasNorm && row < turning ? 1 : factor)),
    );
  const qkNorm = (first: number): Norm | null => {
    if (!hasNorm) return null;
    const ofHeads = rowsDivided(read.source(`${name}.qk_norm.weight`), factors);
    const weight = async () => (await ofHeads.read()).slice(first, first + headDim);
    return { weight: { name: ofHeads.name, shape: [headDim], read: weight }, bias: null };
  };
  return {
    ln1: read.norm(`${name}.ln1`),
    qkv: outputsInOrder({ weight: unscaled(qkv.weight), bias: qkv.bias && unscaled(qkv.bias) }, inverse),
    qNorm: qkNorm(0),
    kNorm: qkNorm(heads * headDim),
    proj: { ...proj, weight: columnsInOrder(proj.weight, inverse.slice(0, order.length)) },
    ln2: read.norm(`${name}.ln2`),
    fc: read.linear(`${name}.fc`),
    mlpProj: read.linear(`${name}.mlp_proj`),
  };
}

/** A matrix, or a vector, whose row i is divided by factor i. */
function rowsDivided(source: WeightSource, factors: () => Promise<Float32Array>): WeightSource {
  const read = async () =>
    rowsTimes(
      source,
      (await factors()).map((factor) => 1 / factor),
    ).read();
  return { name: source.name, shape: source.shape, read };
}

/** The graph holds the first query of each group of heads, then the second ones, and so on. A checkpoint holds group by group. */
function headOrder({ heads, kvHeads, headDim }: Sizes): { order: number[]; inverse: number[] } {
  const order = Array.from({ length: heads * headDim }, (_, row) => {
    const place = Math.floor(row / headDim);
    const head = (place % kvHeads) * (heads / kvHeads) + Math.floor(place / kvHeads);
    return head * headDim + (row % headDim);
  });
  const inverse = Array.from({ length: (heads + 2 * kvHeads) * headDim }, (_, row) => row);
  for (const [row, original] of order.entries()) inverse[original] = row;
  return { order, inverse };
}

/** Weights of a graph by their names. */
class GraphReader {
  readonly #path: string;
  readonly #weights: ReadonlyMap<string, GraphWeight>;

  constructor(path: string) {
    this.#path = path;
    this.#weights = new Map(readGraphWeights(path).map((weight) => [weight.name, weight]));
  }

  source(name: string): WeightSource {
    const weight = this.#weights.get(name);
    if (weight === undefined)
      throw new ModelError(`${this.#path}: expected a weight ${name}, got none; import the model again`);
    return { name, shape: weight.dims, read: async () => this.#floats(weight) };
  }

  optional(name: string): WeightSource | null {
    return this.#weights.has(name) ? this.source(name) : null;
  }

  /** A norm without a weight has a weight of ones in the graph. */
  norm(name: string): Norm {
    const weight = this.optional(`${name}.ones`) ?? this.source(`${name}.weight`);
    return { weight, bias: this.optional(`${name}.bias`) };
  }

  /** The weight as PyTorch keeps it. The graph holds its transpose, in int8 with a scale for each output. */
  linear(name: string): Linear {
    const isInt8 = this.#weights.has(`${name}.values`);
    const stored = this.source(isInt8 ? `${name}.values` : `${name}.weight`);
    const [columns = 0, rows = 0] = stored.shape;
    const read = async () => {
      const weight = transpose(await stored.read(), columns, rows);
      if (!isInt8) return weight;
      const scales = await this.source(`${name}.scales`).read();
      for (let i = 0; i < weight.length; i++) weight[i]! *= scales[Math.floor(i / columns)]!;
      return weight;
    };
    return { weight: { name, shape: [rows, columns], read }, bias: this.optional(`${name}.bias`) };
  }

  #floats(weight: GraphWeight): Float32Array<ArrayBuffer> {
    const values = readGraphValues(this.#path, weight);
    return values instanceof Float32Array ? values : Float32Array.from(values);
  }
}
