import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkpoint, type FakeTensor, tensor } from "../../models/fixtures/checkpoint-writer.js";
import { Random } from "../../models/recipe/random.js";
import { randomTokenizer } from "./random-tokenizer.js";

/** Of the checkpoint that benchmarks run by default. */
const SIZES = { block_size: 256, n_layer: 6, n_head: 6, n_embd: 384 };
/** Standard deviation of the weights, as training starts with it. */
const SPREAD = 0.02;
const SEED = 1;

/**
 * Writes a checkpoint of random weights, always the same, and a tokenizer of as many tokens into a folder: what a model
 * costs to run doesn't depend on what it says.
 * @throws RangeError for a vocabulary that no tokenizer can be made of
 */
export async function writeRandomModel(
  folder: string,
  vocabulary: number,
  sizes = SIZES,
): Promise<{ checkpoint: string; tokenizer: string }> {
  const paths = { checkpoint: join(folder, "ckpt.pt"), tokenizer: join(folder, "tokenizer.json") };
  await writeFile(paths.tokenizer, JSON.stringify(randomTokenizer(vocabulary)));
  await writeFile(
    paths.checkpoint,
    checkpoint({ model: randomState(vocabulary, sizes), step: 0, cfg: sizes }),
  );
  return paths;
}

function randomState(vocabulary: number, sizes: typeof SIZES): Map<string, FakeTensor> {
  const { block_size: context, n_layer: layers, n_embd: width } = sizes;
  const random = new Random(SEED);
  const state = new Map<string, FakeTensor>();
  const add = (name: string, shape: number[], centre = 0) => {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const half = SPREAD * Math.sqrt(3);
    for (let i = 0; i < values.length; i++) values[i] = centre + (random.next() * 2 - 1) * half;
    state.set(name, tensor("float32", shape, values));
  };
  const linear = (name: string, out: number, inputs: number) => {
    add(`${name}.weight`, [out, inputs]);
    add(`${name}.bias`, [out]);
  };
  const norm = (name: string) => {
    add(`${name}.weight`, [width], 1);
    add(`${name}.bias`, [width]);
  };
  add("tok_emb.weight", [vocabulary, width]);
  add("pos_emb.weight", [context, width]);
  for (let layer = 0; layer < layers; layer++) {
    const block = `blocks.${layer}`;
    norm(`${block}.ln1`);
    linear(`${block}.attn.qkv`, 3 * width, width);
    linear(`${block}.attn.proj`, width, width);
    norm(`${block}.ln2`);
    linear(`${block}.mlp.fc`, 4 * width, width);
    linear(`${block}.mlp.proj`, width, 4 * width);
  }
  norm("ln_f");
  add("head.weight", [vocabulary, width]);
  return state;
}
