import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeText } from "../../models/files/decode-text.js";
import { checkpoint, type FakeTensor, tensor } from "../../models/fixtures/checkpoint-writer.js";
import { openCheckpoint } from "../../models/import/checkpoint/checkpoint.js";
import { readWeights } from "../../models/import/families/gpt.js";
import type { Linear, Norm, WeightSource } from "../../models/import/weights.js";
import { createTokenizer } from "../../models/tokenizer/tokenizer.js";
import type { Checkpoint } from "./load/system.js";

/**
 * Writes a copy of the given model with a larger vocabulary into a folder. Texts have the same tokens as before; the
 * additional tokens get copies of the existing weights.
 */
export async function writeWideModel(
  given: Checkpoint,
  vocabulary: number,
  folder: string,
): Promise<Checkpoint> {
  const wide = { checkpoint: join(folder, "ckpt.pt"), tokenizer: join(folder, "tokenizer.json") };
  const tokenizer = JSON.parse(decodeText(await readFile(given.tokenizer)));
  const known = createTokenizer(tokenizer, {}).size;
  const { model, added_tokens: added = [] } = tokenizer;
  // Added tokens after the vocabulary become part of it, to keep their ids.
  for (const { content, id } of added) model.vocab[content] = id;
  for (let id = known; id < vocabulary; id++) model.vocab[`extra${id}`] = id;
  await writeFile(wide.tokenizer, JSON.stringify(tokenizer));

  const opened = await openCheckpoint(given.checkpoint);
  try {
    const { sizes, tokens, positions, layers, finalNorm, head } = await readWeights(opened);
    const { context: block_size, layers: n_layer, heads: n_head, width: n_embd } = sizes;
    const state = new Map<string, FakeTensor>();
    const add = (name: string, shape: readonly number[], values: Float32Array) =>
      state.set(name, tensor("float32", shape, values));
    const rows = async (name: string, source: WeightSource) => {
      const values = (await source.read()).subarray(0, known * n_embd);
      const repeated = new Float32Array(vocabulary * n_embd).map((_, i) => values[i % values.length]!);
      add(name, [vocabulary, n_embd], repeated);
    };
    const layer = async (name: string, { weight, bias }: Linear | Norm) => {
      const size = weight!.shape[0]!;
      add(`${name}.weight`, weight!.shape, await weight!.read());
      add(`${name}.bias`, [size], (await bias?.read()) ?? new Float32Array(size));
    };
    await rows("tok_emb.weight", tokens);
    add("pos_emb.weight", positions!.shape, await positions!.read());
    for (const [i, { ln1, qkv, proj, ln2, fc, mlpProj }] of layers.entries()) {
      const parts = { ln1, "attn.qkv": qkv, "attn.proj": proj, ln2, "mlp.fc": fc, "mlp.proj": mlpProj };
      for (const [name, part] of Object.entries(parts)) await layer(`blocks.${i}.${name}`, part);
    }
    await layer("ln_f", finalNorm);
    await rows("head.weight", head.weight);
    const cfg = { block_size, n_layer, n_head, n_embd };
    await writeFile(wide.checkpoint, checkpoint({ model: state, step: 0, cfg }));
  } finally {
    await opened.close();
  }
  return wide;
}
