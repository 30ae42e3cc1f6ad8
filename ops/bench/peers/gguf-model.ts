import { type GgufMetadata, writeGguf } from "../../../models/export/gguf.js";
import { modelMetadata } from "../../../models/export/metadata.js";
import { ggufTensors } from "../../../models/export/tensors.js";
import { openCheckpoint } from "../../../models/import/checkpoint/checkpoint.js";
import { readWeights } from "../../../models/import/families/gpt.js";
import { firstRows } from "../../../models/import/rearranged.js";

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
    const read = await readWeights(opened);
    const weights = {
      ...read,
      sizes: { ...read.sizes, vocab: vocabulary },
      tokens: firstRows(read.tokens, vocabulary),
      head: { weight: firstRows(read.head.weight, vocabulary), bias: null },
    };
    const metadata = { ...modelMetadata("jai", weights, "gpt2", "q8_0"), ...anyTokens(vocabulary) };
    // The head is written even if it is tied to the embedding: not every fork falls back to that.
    await writeGguf(out, metadata, ggufTensors(weights, "gpt2", "q8_0", false));
  } finally {
    await opened.close();
  }
}

/** Any text will do for tokens: prompts are sent as ids, and nobody reads the answers. */
function anyTokens(vocabulary: number): GgufMetadata {
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": Array.from({ length: vocabulary }, (_, id) => `t${id}`),
    "tokenizer.ggml.token_type": new Int32Array(vocabulary).fill(NORMAL_TOKEN),
    // Loaders refuse a missing list, so there is one pair that never applies.
    "tokenizer.ggml.merges": ["t0 t0"],
    "tokenizer.ggml.bos_token_id": 0,
    "tokenizer.ggml.eos_token_id": 0,
    "tokenizer.ggml.add_bos_token": false,
  };
}
