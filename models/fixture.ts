/*
 * A tiny model folder for tests: random weights, and a byte-level tokenizer of one token for each byte with JAI's
 * special tokens. Its text is noise, but everything that is promised of a real one holds for it too.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { uniform } from "../workers/engine/philox.js";
import { type ModelConfig, renderConfigFiles } from "./folder.js";
import type { GptWeights, Linear, Norm, Sizes, WeightSource } from "./import/weights.js";
import { writeGraph } from "./import/write-graph.js";
import { byteLevelFile } from "./tokenizer/byte-level-file.js";

export const FIXTURE_SPECIALS = ["[EOS]", "[QUESTION]", "[/QUESTION]", "[ANSWER]", "[/ANSWER]"];

export const FIXTURE_SIZES: Sizes = {
  vocab: 256 + FIXTURE_SPECIALS.length,
  context: 160,
  layers: 2,
  heads: 2,
  width: 32,
  hidden: 128,
};

/** Weights drawn from a seed; `spread` is their standard deviation in units of 1 / sqrt(inputs). */
export function randomWeights(sizes: Sizes = FIXTURE_SIZES, seed = 1, spread = 2): GptWeights {
  const { vocab, context, layers, width, hidden } = sizes;
  let drawn = 0;
  const source = (name: string, shape: number[], scale: number, centre = 0): WeightSource => {
    const start = drawn;
    const length = shape.reduce((product, dim) => product * dim, 1);
    drawn += length;
    const value = (_: number, i: number) => centre + (uniform([seed, 0], start + i) * 2 - 1) * scale;
    return { name, shape, read: async () => new Float32Array(length).map(value) };
  };
  const linear = (name: string, outputs: number, inputs: number): Linear => ({
    weight: source(`${name}.weight`, [outputs, inputs], (spread * Math.sqrt(3)) / Math.sqrt(inputs)),
    bias: source(`${name}.bias`, [outputs], 0.1),
  });
  const norm = (name: string): Norm => ({
    weight: source(`${name}.weight`, [width], 0.2, 1),
    bias: source(`${name}.bias`, [width], 0.2),
  });
  return {
    sizes,
    tokens: source("tok_emb.weight", [vocab, width], 1),
    positions: source("pos_emb.weight", [context, width], 1),
    layers: Array.from({ length: layers }, (_, layer) => ({
      ln1: norm(`${layer}.ln1`),
      qkv: linear(`${layer}.qkv`, 3 * width, width),
      proj: linear(`${layer}.proj`, width, width),
      ln2: norm(`${layer}.ln2`),
      fc: linear(`${layer}.fc`, hidden, width),
      mlpProj: linear(`${layer}.mlpProj`, width, hidden),
    })),
    finalNorm: norm("ln_f"),
    head: linear("head", vocab, width).weight,
    tied: false,
    close: async () => {},
  };
}

/** A tokenizer.json whose tokens are the 256 bytes and the special tokens. */
export function byteTokenizer(): object {
  const symbols = byteSymbols();
  const vocab = Object.fromEntries(symbols.map((symbol, id) => [symbol, id]));
  return byteLevelFile({ specials: FIXTURE_SPECIALS, vocab, merges: [] });
}

/** GPT-2's printable stand-ins for bytes: those that print stand for themselves, the others for U+0100 and on. */
function byteSymbols(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(prints ? byte : next++);
  });
}

/** A model's config.json, but for the tokenizer's part. */
export function fixtureConfig(sizes: Sizes, precision: ModelConfig["precision"]): ModelConfig {
  return {
    model_type: "jai",
    name: "fixture",
    vocab_size: sizes.vocab,
    n_positions: sizes.context,
    n_embd: sizes.width,
    n_layer: sizes.layers,
    n_head: sizes.heads,
    layer_norm_epsilon: 1e-5,
    precision,
  };
}

export async function writeFixtureModel(
  dir: string,
  precision: ModelConfig["precision"],
  weights: GptWeights = randomWeights(),
): Promise<void> {
  const tokenizer = byteTokenizer();
  const files = renderConfigFiles(fixtureConfig(weights.sizes, precision), tokenizer);
  await writeGraph(dir, weights, files["config.json"]);
  await writeFile(join(dir, "tokenizer.json"), JSON.stringify(tokenizer));
  for (const [name, content] of Object.entries(files))
    await writeFile(join(dir, name), JSON.stringify(content));
}
