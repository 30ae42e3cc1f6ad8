import { readFile } from "node:fs/promises";
import { decodeText } from "../../../models/decode-text.js";
import { trimmedVocabulary } from "../../../models/folder.js";
import { openCheckpoint } from "../../../models/import/checkpoint.js";
import {
  type GptWeights,
  type Linear,
  type Norm,
  readWeights,
  type WeightSource,
} from "../../../models/import/weights.js";
import { createTokenizer } from "../../../models/tokenizer.js";
import type { Checkpoint } from "../options.js";
import { byteSymbols, isWholeText } from "./byte-symbols.js";
import { type GgufTensor, type GgufValue, writeGguf } from "./gguf.js";

const MOSTLY_Q8_0 = 7;
const TokenType = { normal: 1, control: 3 } as const;

/** The parts of tokenizer.json that say how tokens are spelled; it was read by `createTokenizer` first. */
interface TokenizerFile {
  model: { vocab: Record<string, number> };
  added_tokens?: { id: number; content: string; special: boolean }[];
  decoder?: { type: string } | null;
}

/**
 * Writes a checkpoint as a GGUF of llama.cpp's architecture "gpt2": matrices in Q8_0, the rest in float32, as its own
 * `llama-quantize` leaves them. llama.cpp's GELU is the tanh approximation, whatever the model was trained with: the same
 * work, logits that differ a little.
 * The tokenizer lists the tokens with their spelling, so that what the server decodes is text; it has no merges, since
 * prompts come as ids.
 */
export async function writeGgufModel({ checkpoint, tokenizer }: Checkpoint, out: string): Promise<void> {
  const file = JSON.parse(decodeText(await readFile(tokenizer))) as TokenizerFile;
  const opened = await openCheckpoint(checkpoint);
  try {
    const weights = await readWeights(opened);
    const vocabulary = trimmedVocabulary(weights.sizes.vocab, createTokenizer(file, {}).size);
    await writeGguf(out, metadata(weights, vocabulary, file), tensors(weights, vocabulary));
  } finally {
    await opened.close();
  }
}

function metadata(
  { sizes }: GptWeights,
  vocabulary: number,
  tokenizer: TokenizerFile,
): Record<string, GgufValue> {
  const { tokens, types, eos } = spellings(vocabulary, tokenizer);
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
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": types,
    // Loaders refuse a list that is absent; this one pair never applies, since a prompt has no text.
    "tokenizer.ggml.merges": [`${tokens[0]} ${tokens[0]}`],
    "tokenizer.ggml.bos_token_id": eos,
    "tokenizer.ggml.eos_token_id": eos,
    "tokenizer.ggml.add_bos_token": false,
  };
}

/** Every id's token in GPT-2's alphabet of printable bytes, and its type; no two are spelled alike. */
function spellings(vocabulary: number, { model, added_tokens = [], decoder }: TokenizerFile) {
  const tokens = Array.from({ length: vocabulary }, (_, id) => `[unused${id}]`);
  const types = new Int32Array(vocabulary).fill(TokenType.control);
  const set = (id: number, token: string, type: number) => {
    if (id >= vocabulary) return;
    tokens[id] = token;
    types[id] = type;
  };
  const inBytes = decoder?.type === "ByteLevel";
  for (const [token, id] of Object.entries(model.vocab)) {
    // A model without training puts parts of characters together as it likes, and servers fail to say that in JSON.
    const spelled = inBytes && !isWholeText(token) ? `[part${id}]` : token;
    set(id, inBytes ? spelled : byteSymbols(token), TokenType.normal);
  }
  // Not as they are spelled: llama.cpp takes a "[PAD]" for an end of generation, which not every fork can ignore.
  for (const { id, content, special } of added_tokens)
    set(id, special ? `[special${id}]` : content, special ? TokenType.control : TokenType.normal);
  return { tokens, types, eos: added_tokens.find(({ content }) => content === "[EOS]")?.id ?? 0 };
}

function tensors(weights: GptWeights, vocabulary: number): GgufTensor[] {
  const { width } = weights.sizes;
  const all: GgufTensor[] = [];
  const add = (name: string, type: GgufTensor["type"], shape: readonly number[], read: GgufTensor["read"]) =>
    all.push({ name, type, shape, read });
  const rows = (name: string, source: WeightSource) =>
    add(name, "q8_0", [vocabulary, width], async () => (await source.read()).subarray(0, vocabulary * width));
  // llama.cpp's graph adds biases always; a model without them has zeros.
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
  add("position_embd.weight", "f32", weights.positions.shape, () => weights.positions.read());
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
  // Written where it is tied, too: not every fork falls back to the token table.
  rows("output.weight", weights.head);
  return all;
}
