import { openCheckpoint } from "../../../models/import/checkpoint/checkpoint.js";
import { readWeights } from "../../../models/import/families/gpt.js";
import type { Linear, ModelWeights, Norm, WeightSource } from "../../../models/import/weights.js";
import { type GgufTensor, type GgufValue, writeGguf } from "./gguf.js";

const MOSTLY_Q8_0 = 7;
const NORMAL_TOKEN = 1;

/**
 * Writes a checkpoint as a GGUF file of llama.cpp's architecture "gpt2": matrices in Q8_0, the rest in float32, as
 * `llama-quantize` does. llama.cpp always uses the tanh approximation of GELU, so logits may differ a little, but the
 * work is the same.
 * @param vocabulary the rows to keep, without a training script's padding
 */
export async function writeGgufModel(checkpoint: string, vocabulary: number, out: string): Promise<void> {
  const opened = await openCheckpoint(checkpoint);
  try {
    const weights = await readWeights(opened);
    await writeGguf(out, metadata(weights, vocabulary), tensors(weights, vocabulary));
  } finally {
    await opened.close();
  }
}

function metadata({ sizes }: ModelWeights, vocabulary: number): Record<string, GgufValue> {
  return {
    "general.architecture": "gpt2",
    "general.name": "jai",
    "general.file_type": MOSTLY_Q8_0,
    "general.quantization_version": 2,
    "gpt2.context_length": sizes.context,
    "gpt2.embedding_length": sizes.width,
    "gpt2.feed_forward_length": sizes.hidden,
    "gpt2.block_count": sizes.layers,
    "gpt2.attention.head_count": sizes.heads,
    "gpt2.attention.layer_norm_epsilon": { float32: 1e-5 },
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    // Any text will do for tokens: prompts are sent as ids, and nobody reads the answers.
    "tokenizer.ggml.tokens": Array.from({ length: vocabulary }, (_, id) => `t${id}`),
    "tokenizer.ggml.token_type": new Int32Array(vocabulary).fill(NORMAL_TOKEN),
    // Loaders refuse a missing list, so there is one pair that never applies.
    "tokenizer.ggml.merges": ["t0 t0"],
    "tokenizer.ggml.bos_token_id": 0,
    "tokenizer.ggml.eos_token_id": 0,
    "tokenizer.ggml.add_bos_token": false,
  };
}

function tensors(weights: ModelWeights, vocabulary: number): GgufTensor[] {
  const { width } = weights.sizes;
  const all: GgufTensor[] = [];
  const add = (name: string, type: GgufTensor["type"], shape: readonly number[], read: GgufTensor["read"]) =>
    all.push({ name, type, shape, read });
  const rows = (name: string, source: WeightSource) =>
    add(name, "q8_0", [vocabulary, width], async () => (await source.read()).subarray(0, vocabulary * width));
  // llama.cpp's graph always adds biases; a model without them gets zeros.
  const vector = (name: string, source: WeightSource | null, size: number) =>
    add(name, "f32", [size], async () => (await source?.read()) ?? new Float32Array(size));
  const norm = (name: string, { weight, bias }: Norm) => {
    vector(`${name}.weight`, weight, width);
    vector(`${name}.bias`, bias, width);
  };
  const linear = (name: string, { weight, bias }: Linear) => {
    add(`${name}.weight`, "q8_0", weight.shape, () => weight.read());
    vector(`${name}.bias`, bias, weight.shape[0]!);
  };
  rows("token_embd.weight", weights.tokens);
  add("position_embd.weight", "f32", weights.positions!.shape, () => weights.positions!.read());
  for (const [index, layer] of weights.layers.entries()) {
    const name = `blk.${index}`;
    norm(`${name}.attn_norm`, layer.ln1);
    linear(`${name}.attn_qkv`, layer.qkv);
    linear(`${name}.attn_output`, layer.proj);
    norm(`${name}.ffn_norm`, layer.ln2);
    linear(`${name}.ffn_up`, layer.fc);
    linear(`${name}.ffn_down`, layer.mlpProj);
  }
  norm("output_norm", weights.finalNorm);
  // Written even if it is tied to the embedding: not every fork falls back to that.
  rows("output.weight", weights.head.weight);
  return all;
}
