import type { Architecture } from "../architecture.js";
import type { Channels } from "./calibrate.js";
import type { Range } from "./graph/quantize.js";
import { columnsTimes, rowsTimes } from "./rearranged.js";
import type { LayerWeights, Linear, ModelWeights, Norm, Sizes } from "./weights.js";

/** A model that computes the same. */
export interface Equalized {
  weights: ModelWeights;
  /** The range of each product's input, in the graph's order. */
  ranges: readonly Range[];
  /** Ranges of each layer's heads, as calibration would see them in this model. */
  heads: readonly Channels[];
}

/** Which channel each column of a product belongs to. Heads that share values share channels. */
interface Layout {
  channels: number;
  inGraph(column: number): number;
  inWeight(column: number): number;
}

/** Divisors of the channels, and the factors of the weight's columns that they meet. */
interface Factors {
  channels: Float32Array;
  columns: Float32Array;
}

/**
 * Evens out the channels of each product's input before it is quantized. An input has one scale, so a channel whose numbers
 * are far greater than the others' takes the levels away from them. Each channel is divided by a factor, and the column of the
 * weight that it meets is multiplied by it. Dividing costs nothing, because it is done to what makes the channel: a norm's
 * weight, the values', an MLP's. Only a plain MLP's GELU or SiLU lets no factor through.
 *
 * The factor is sqrt(greatest input / greatest weight) of a channel: SmoothQuant of strength 0.5, https://arxiv.org/abs/2211.10438
 * @param observed channels of each product's input, in the graph's order, and then of each layer's heads
 */
export async function equalize(weights: ModelWeights, observed: readonly Channels[]): Promise<Equalized> {
  const { sizes, architecture } = weights;
  const ranges: Range[] = [];
  const next = async ({ weight }: Linear, layout: Layout): Promise<Factors> => {
    const seen = observed[ranges.length]!;
    const factors = factorsOf(seen, await weight.read(), weight.shape[1]!, layout);
    ranges.push(rangeOf(seen, (column) => factors.channels[layout.inGraph(column)]!));
    return factors;
  };
  const layers: LayerWeights[] = [];
  const heads: Channels[] = [];
  const ofHeads = observed.slice(-weights.layers.length);
  const firstValue = (sizes.heads + sizes.kvHeads) * sizes.headDim;
  const mlp = mlpChannels(architecture, sizes);
  for (const [index, layer] of weights.layers.entries()) {
    const ofQkv = await next(layer.qkv, columns(sizes.width));
    const ofProj = await next(layer.proj, values(sizes));
    heads.push(dividedChannels(ofHeads[index]!, firstValue, ofProj.channels));
    const ofFc = await next(layer.fc, columns(sizes.width));
    let { fc, mlpProj } = layer;
    if (mlp === null) ranges.push(rangeOf(observed[ranges.length]!, () => 1));
    else {
      const ofMlpProj = await next(mlpProj, columns(sizes.hidden));
      fc = dividedOutputs(fc, mlp.first, ofMlpProj.channels.map(mlp.root));
      mlpProj = multiplied(mlpProj, ofMlpProj);
    }
    layers.push({
      ...layer,
      ln1: dividedNorm(layer.ln1, ofQkv),
      qkv: dividedOutputs(multiplied(layer.qkv, ofQkv), firstValue, ofProj.channels),
      proj: multiplied(layer.proj, ofProj),
      ln2: dividedNorm(layer.ln2, ofFc),
      fc: multiplied(fc, ofFc),
      mlpProj,
    });
  }
  const ofHead = await next(weights.head, columns(sizes.width));
  return {
    weights: {
      ...weights,
      layers,
      finalNorm: dividedNorm(weights.finalNorm, ofHead),
      head: multiplied(weights.head, ofHead),
    },
    ranges,
    heads,
  };
}

const columns = (channels: number): Layout => ({
  channels,
  inGraph: (column) => column,
  inWeight: (column) => column,
});

/** The graph has the heads of queries in another order than the weight; see `addAttention`. */
const values = ({ heads, kvHeads, headDim }: Sizes): Layout => ({
  channels: kvHeads * headDim,
  inGraph: (column) => column % (kvHeads * headDim),
  inWeight: (column) => Math.floor(column / headDim / (heads / kvHeads)) * headDim + (column % headDim),
});

/**
 * The rows of an MLP's first weight that make its channels, and what these must be divided by to divide a channel by `f`; null
 * where the activation lets no factor through.
 */
function mlpChannels({ gated_mlp, activation }: Architecture, { hidden }: Sizes) {
  const itself = (factor: number) => factor;
  if (gated_mlp) return { first: hidden, root: itself };
  if (activation === "relu") return { first: 0, root: itself };
  return activation === "relu2" ? { first: 0, root: Math.sqrt } : null;
}

function factorsOf(
  { least, greatest }: Channels,
  weight: Float32Array,
  width: number,
  { channels, inGraph, inWeight }: Layout,
): Factors {
  const inputs = new Float32Array(channels);
  for (const [column, end] of greatest.entries()) {
    const channel = inGraph(column);
    inputs[channel] = Math.max(inputs[channel]!, -least[column]!, end);
  }
  const weights = new Float32Array(channels);
  for (let at = 0; at < weight.length; at += width)
    for (let column = 0; column < width; column++) {
      const channel = inWeight(column);
      weights[channel] = Math.max(weights[channel]!, Math.abs(weight[at + column]!));
    }
  const ofChannel = inputs.map((input, channel) => {
    const factor = Math.sqrt(input / weights[channel]!);
    // A channel that is always 0, or that no weight reads, stays as it is.
    if (!(factor > 0 && factor < Number.POSITIVE_INFINITY)) return 1;
    // Not 1 for one out of bounds: it would stand out among those that were divided all the more.
    return Math.min(Math.max(factor, LEAST_FACTOR), 1 / LEAST_FACTOR);
  });
  return {
    channels: ofChannel,
    columns: Float32Array.from({ length: width }, (_, i) => ofChannel[inWeight(i)]!),
  };
}

/** Beyond it a weight might become too small or too great for a float32. */
const LEAST_FACTOR = 1e-6;

function rangeOf({ least, greatest }: Channels, factor: (column: number) => number): Range {
  let range: Range = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [column, end] of greatest.entries())
    range = [Math.min(range[0], least[column]! / factor(column)), Math.max(range[1], end / factor(column))];
  return range;
}

const multiplied = ({ weight, bias }: Linear, factors: Factors): Linear => ({
  weight: columnsTimes(weight, factors.columns),
  bias,
});

/** Divides the outputs from the row `first` on. */
function dividedOutputs({ weight, bias }: Linear, first: number, factors: Float32Array): Linear {
  const times = new Float32Array(weight.shape[0]!).fill(1);
  for (const [i, factor] of factors.entries()) times[first + i] = 1 / factor;
  return { weight: rowsTimes(weight, times), bias: bias && rowsTimes(bias, times) };
}

function dividedChannels({ least, greatest }: Channels, first: number, factors: Float32Array): Channels {
  const divided = (end: number, i: number) => (i < first ? end : end / factors[i - first]!);
  return { least: least.map(divided), greatest: greatest.map(divided) };
}

function dividedNorm({ weight, bias }: Norm, { channels }: Factors): Norm {
  const times = channels.map((factor) => 1 / factor);
  const ones = { name: "ones", shape: [times.length], read: async () => times.slice() };
  return { weight: weight ? rowsTimes(weight, times) : ones, bias: bias && rowsTimes(bias, times) };
}
