import { isUtf8 } from "node:buffer";
import { readFile, rename } from "node:fs/promises";
import { decodeText } from "../../../models/files/decode-text.js";
import { trimmedVocabulary } from "../../../models/folder.js";
import { openCheckpoint } from "../../../models/import/checkpoint/checkpoint.js";
import {
  type GptWeights,
  readWeights,
  type WeightSource,
} from "../../../models/import/checkpoint/weights.js";
import { fromSymbols, toSymbols } from "../../../models/tokenizer/byte-alphabet.js";
import { createTokenizer } from "../../../models/tokenizer/tokenizer.js";
import { type GgufTensor, type GgufValue, writeGguf } from "./gguf.js";

const MOSTLY_Q8_0 = 7;
const TOKEN_TYPES = { normal: 1, control: 3 } as const;

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
export async function writeGgufModel(checkpoint: string, tokenizer: string, out: string): Promise<void> {
  const text = JSON.parse(decodeText(await readFile(tokenizer))) as TokenizerFile;
  const opened = await openCheckpoint(checkpoint);
  try {
    const weights = await readWeights(opened);
    const vocabulary = trimmedVocabulary(weights.sizes.vocab, createTokenizer(text, {}).size);
    // A file that is there is whole, though a run that writes it may be cut short.
    await writeGguf(`${out}.part`, metadata(weights, vocabulary, text), tensors(weights, vocabulary));
    await rename(`${out}.part`, out);
  } finally {
    await opened.close();
  }
}

function metadata(
  { sizes }: GptWeights,
  vocabulary: number,
  tokenizer: TokenizerFile,
): Record<string, GgufValue> {
  const uint32 = (value: number): GgufValue => ({ type: "uint32", value });
  const string = (value: string): GgufValue => ({ type: "string", value });
  const { tokens, types, eos } = spellings(vocabulary, tokenizer);
  return {
    "general.architecture": string("gpt2"),
    "general.name": string("jai"),
    "general.file_type": uint32(MOSTLY_Q8_0),
    "general.quantization_version": uint32(2),
    "gpt2.context_length": uint32(sizes.context),
    "gpt2.embedding_length": uint32(sizes.width),
    "gpt2.feed_forward_length": uint32(sizes.hidden),
    "gpt2.block_count": uint32(sizes.layers),
    "gpt2.attention.head_count": uint32(sizes.heads),
    "gpt2.attention.layer_norm_epsilon": { type: "float32", value: 1e-5 },
    "tokenizer.ggml.model": string("gpt2"),
    "tokenizer.ggml.pre": string("gpt-2"),
    "tokenizer.ggml.tokens": { type: "strings", value: tokens },
    "tokenizer.ggml.token_type": { type: "int32s", value: types },
    // Loaders refuse a list that is absent; this one pair never applies, since a prompt has no text.
    "tokenizer.ggml.merges": { type: "strings", value: [`${tokens[0]} ${tokens[0]}`] },
    "tokenizer.ggml.bos_token_id": uint32(eos),
    "tokenizer.ggml.eos_token_id": uint32(eos),
    "tokenizer.ggml.add_bos_token": { type: "bool", value: false },
  };
}

/** Every id's token in GPT-2's alphabet of printable bytes, and its type; no two are spelled alike. */
function spellings(vocabulary: number, { model, added_tokens, decoder }: TokenizerFile) {
  const tokens: string[] = Array.from({ length: vocabulary }, (_, id) => `[unused${id}]`);
  const types: number[] = tokens.map(() => TOKEN_TYPES.control);
  const set = (id: number, token: string, type: number) => {
    if (id >= vocabulary) return;
    tokens[id] = token;
    types[id] = type;
  };
  const bytesAlready = decoder?.type === "ByteLevel";
  for (const [token, id] of Object.entries(model.vocab))
    set(id, bytesAlready ? wholeText(token, id) : toSymbols(token), TOKEN_TYPES.normal);
  // Not as they are spelled: llama.cpp takes a "[PAD]" for an end of generation, which not every fork can ignore.
  for (const { id, content, special } of added_tokens ?? [])
    if (special) set(id, `[special${id}]`, TOKEN_TYPES.control);
    else set(id, content, TOKEN_TYPES.normal);
  const eos = added_tokens?.find(({ content }) => content === "[EOS]")?.id ?? 0;
  return { tokens, types, eos };
}

/** A model without training puts parts of characters together as it likes, and servers fail to say that in JSON. */
export function wholeText(token: string, id: number): string {
  const bytes = fromSymbols(token);
  return bytes !== null && isUtf8(bytes) ? token : `[part${id}]`;
}

function tensors(weights: GptWeights, vocabulary: number): GgufTensor[] {
  const { width } = weights.sizes;
  const all: GgufTensor[] = [];
  const matrix = (name: string, source: WeightSource) =>
    all.push({ name: `${name}.weight`, shape: source.shape, type: "q8_0", read: () => source.read() });
  const rows = (name: string, source: WeightSource) =>
    all.push({
      name: `${name}.weight`,
      shape: [vocabulary, width],
      type: "q8_0",
      read: async () => (await source.read()).subarray(0, vocabulary * width),
    });
  const vector = (name: string, source: WeightSource | null, size: number) =>
    // llama.cpp's graph adds biases always; a model without them has zeros.
    all.push({
      name,
      shape: [size],
      type: "f32",
      read: async () => (await source?.read()) ?? new Float32Array(size),
    });
  const norm = (name: string, { weight, bias }: { weight: WeightSource; bias: WeightSource | null }) => {
    vector(`${name}.weight`, weight, width);
    vector(`${name}.bias`, bias, width);
  };
  const linear = (name: string, { weight, bias }: { weight: WeightSource; bias: WeightSource | null }) => {
    matrix(name, weight);
    vector(`${name}.bias`, bias, weight.shape[0]!);
  };

  rows("token_embd", weights.tokens);
  const { positions } = weights;
  all.push({
    name: "position_embd.weight",
    shape: positions.shape,
    type: "f32",
    read: () => positions.read(),
  });
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
  rows("output", weights.head);
  return all;
}
