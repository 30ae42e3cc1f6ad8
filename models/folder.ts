import { statSync } from "node:fs";
import { join } from "node:path";
import { type ChatTemplate, compileChatTemplate, jaiChatTemplate, templateOf } from "./chat-template.js";
import { GRAPH_VERSION, type ModelConfig, type NewConfig, parseModelConfig } from "./config.js";
import { ModelError } from "./files/error.js";
import { type Fields, isIntegerIn, readFields, requireFile, unexpected } from "./files/fields.js";
import { readSelfTest, type SelfTest } from "./self-test.js";
import { createTokenizer, type Tokenizer } from "./tokenizer/tokenizer.js";

/** Every token that ends a text is compared with each that is drawn. */
const MOST_ENDS = 64;

/** Vocabularies are rounded up to a multiple of one of these; the last is litgpt's default. */
const PADDINGS = [1, 64, 128, 256, 512];
/** Share of a vocabulary that may wait for tokens to come. More would let another model's tokenizer pass. */
const MOST_ROOM = 0.01;

/** A model folder that was read and checked. */
export interface ModelFolder {
  dir: string;
  config: ModelConfig;
  /** The tokens that end a generation; empty where the model has none. */
  eosIds: readonly number[];
  tokenizer: Tokenizer;
  /** Null where the model has none. */
  chatTemplate: ChatTemplate | null;
  /** Path of the graph. A graph past 64 MiB keeps its weights beside it in `model.onnx_data`. */
  graphPath: string;
  /** Size of the graph and its weights on disk. */
  modelBytes: number;
  /** Null in a folder that an earlier version imported. */
  selfTest: SelfTest | null;
}

/** The files that `import` writes beside the graph and tokenizer.json. */
export interface ConfigFiles {
  "config.json": ModelConfig;
  "generation_config.json": Record<string, unknown>;
  "tokenizer_config.json": Record<string, unknown>;
}

/**
 * Reads and checks everything but the graph's contents, so a worker that gets the folder can fail only on those.
 * @throws ModelError with one line that names the file and field
 */
export function readModelFolder(dir: string): ModelFolder {
  requireFolder(dir);
  const config = parseModelConfig(readFields(dir, "config.json"));
  const generation = readFields(dir, "generation_config.json");
  const tokenizerJson = readFields(dir, "tokenizer.json");
  const tokenizerConfig = readFields(dir, "tokenizer_config.json");
  const graphPath = join(dir, "onnx", "model.onnx");
  const graph = requireFile(dir, "onnx/model.onnx");
  if (graph.size === 0)
    throw new ModelError(`${graphPath}: expected a graph, got an empty file; import the model again`);
  const data = statSync(join(dir, "onnx", "model.onnx_data"), { throwIfNoEntry: false });

  const eosIds = endsOf(generation, config.vocab_size);
  const tokenizer = createTokenizer(tokenizerJson, tokenizerConfig, eosIds);
  if (tokenizer.size !== config.vocab_size)
    throw new ModelError(
      `tokenizer.json: expected the model's vocabulary of ${config.vocab_size} tokens, got ${tokenizer.size}`,
    );
  const template = chatTemplateSource(tokenizerConfig);
  return {
    dir,
    config,
    eosIds,
    tokenizer,
    chatTemplate: template === null ? null : compileChatTemplate(template, tokenizerConfig),
    graphPath,
    modelBytes: graph.size + (data?.size ?? 0),
    selfTest: readSelfTest(dir, config),
  };
}

/** Bytes of one sequence's cache over the whole context: keys and values, and for int8 a bias for each key. */
export function cacheBytesPerSlot({
  n_layer,
  n_kv_head,
  head_dim,
  n_positions,
  precision,
}: ModelConfig): number {
  const bytesOfRow = precision === "int8" ? 2 * head_dim + 4 : 2 * head_dim * 4;
  return n_layer * n_kv_head * n_positions * bytesOfRow;
}

/** Found in the files beside a checkpoint. */
export interface Told {
  /** A Jinja template; null: none. Default: JAI's own. */
  chatTemplate?: string | null | undefined;
  /** Control tokens by tokenizer_config.json's names. Default: those with usual names. */
  tokens?: Readonly<Record<string, string>>;
  /** Default: the id of `eos_token`. */
  eosIds?: readonly number[] | undefined;
}

/**
 * The contents of the three JSON files for a model of these sizes: the reverse of `readModelFolder`.
 * @throws ModelError if a folder of these sizes and this tokenizer could not be read back
 */
export function renderConfigFiles(
  model: NewConfig,
  tokenizerJson: unknown,
  { chatTemplate = jaiChatTemplate, tokens = {}, eosIds }: Told = {},
): ConfigFiles {
  const config = parseModelConfig({ model_type: "jai", graph_version: GRAPH_VERSION, ...model });
  const names = { ...controlTokens(createTokenizer(tokenizerJson, {})), ...tokens };
  const tokenizerConfig = {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: config.n_positions,
    ...names,
    // transformers would otherwise touch up English punctuation in decoded text.
    clean_up_tokenization_spaces: false,
    chat_template: chatTemplate,
  };
  if (chatTemplate !== null) compileChatTemplate(chatTemplate, tokenizerConfig);
  const tokenizer = createTokenizer(tokenizerJson, tokenizerConfig);
  if (tokenizer.size !== config.vocab_size)
    throw new ModelError(
      `tokenizer.json: expected the model's vocabulary of ${config.vocab_size} tokens, got ${tokenizer.size}`,
    );
  return {
    "config.json": config,
    "generation_config.json": { eos_token_id: eosField(eosIds ?? [tokenizer.eosId ?? []].flat()) },
    "tokenizer_config.json": tokenizerConfig,
  };
}

/**
 * How many rows of the model's vocabulary to keep: the tokenizer's. Training scripts pad a vocabulary to a multiple of
 * 64 to 512 for the GPU's sake, and some leave room for tokens to come, as Qwen's 151,936 rows for 151,669 tokens do. The
 * rows beyond the tokenizer were never trained and have no text.
 * @throws ModelError if the two sizes do not belong together
 */
export function trimmedVocabulary(modelVocabulary: number, tokenizerSize: number): number {
  const padded = PADDINGS.map((multiple) => Math.ceil(tokenizerSize / multiple) * multiple);
  const left = modelVocabulary - tokenizerSize;
  const hasRoom = modelVocabulary % 64 === 0 && left > 0 && left < modelVocabulary * MOST_ROOM;
  if (padded.includes(modelVocabulary) || hasRoom) return tokenizerSize;
  throw new ModelError(
    `expected a tokenizer of the model's vocabulary (${modelVocabulary} tokens, or as many rounded up to a multiple of 64, 128, 256 or 512), got one of ${tokenizerSize} tokens`,
  );
}

/** The names that training scripts give to control tokens, the likelier first. */
const wellKnownTokens = {
  pad_token: ["[PAD]", "<pad>"],
  unk_token: ["[UNK]", "<unk>"],
  bos_token: ["[BOS]", "<s>"],
  eos_token: ["[EOS]", "</s>", "<|endoftext|>"],
} as const;

/** Control tokens of a tokenizer that have usual names, by the names of tokenizer_config.json. */
export function controlTokens(tokenizer: Tokenizer): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, candidates] of Object.entries(wellKnownTokens)) {
    const token = candidates.find((candidate) => tokenizer.tokenId(candidate) !== null);
    if (token !== undefined) found[name] = token;
  }
  return found;
}

function requireFolder(dir: string): void {
  let got = "nothing there";
  try {
    if (statSync(dir).isDirectory()) return;
    got = "a file";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") got = "a path that leads through a file";
    else if (code !== "ENOENT") got = String(code);
  }
  throw new ModelError(`model folder ${dir}: expected a folder that \`jai import\` wrote, got ${got}`);
}

/** A list of one is written as a number, as Hugging Face does. */
function eosField(ids: readonly number[]): number | readonly number[] | null {
  return ids.length > 1 ? ids : (ids[0] ?? null);
}

function endsOf({ eos_token_id: field }: Fields, vocabulary: number): number[] {
  const ids: unknown[] = Array.isArray(field) ? field : field == null ? [] : [field];
  const isId = (id: unknown): id is number => isIntegerIn(id, 0, vocabulary - 1);
  if (ids.length <= MOST_ENDS && ids.every(isId)) return [...new Set(ids)];
  const expected = `null, a token id or a list of up to ${MOST_ENDS} ids below ${vocabulary}`;
  throw unexpected("generation_config.json", "eos_token_id", expected, field);
}

/**
 * The template of a tokenizer_config.json, which holds one, or several with names. Null says that the model has none. Folders
 * from before that could be said have JAI's own where the field is missing.
 */
function chatTemplateSource({ chat_template: source = jaiChatTemplate }: Fields): string | null {
  if (source === null) return null;
  const template = templateOf(source);
  if (template !== null) return template;
  throw unexpected("tokenizer_config.json", "chat_template", "a Jinja template", source);
}
