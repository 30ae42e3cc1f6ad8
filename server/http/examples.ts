import type { ModelConfig } from "../../models/config.js";
import type { Tokenizer } from "../../models/tokenizer/tokenizer.js";
import type { Document } from "./document.js";

/** The served model. */
export interface ServedModel {
  config: Pick<ModelConfig, "name" | "n_positions">;
  tokenizer: Pick<Tokenizer, "size" | "encode" | "decode">;
}

/** What the served model has in place of the default model's in the examples. */
interface Replacement {
  name: string;
  context: number;
  /** A short text of the model's own tokens. Null: the examples' texts are the model's own. */
  sample: Sample | null;
}

interface Sample {
  text: string;
  ids: readonly number[];
  pieces: readonly string[];
}

/** The model of openapi.yaml's examples. */
const DEFAULT_MODEL = "jai-small";
/** Fields that hold text of the model: nobody knows what this model would say. */
const SAID = new Set(["text", "content"]);
const UNKNOWN = "…";

/**
 * Makes the examples fit the served model: its name, its context, and prompts of its own language, since a model knows
 * only characters like those that it was trained on. What the tokenizer can encode decides, not the name: texts stay as
 * they are for a model with the default model's tokenizer, which may have any name, such as one that was trained further.
 */
export function fitExamples(document: Document, { config, tokenizer }: ServedModel): void {
  const written = writtenSample(document);
  const sample = isOwn(written, tokenizer) ? null : sampleOf(tokenizer, written.text);
  const model = { name: config.name, context: config.n_positions, sample };
  const { paths, components } = document;
  for (const operations of Object.values(paths))
    for (const operation of Object.values(operations) as unknown as Operation[]) {
      fitContent(operation.requestBody?.content, model, true);
      for (const { content } of Object.values(operation.responses)) fitContent(content, model, false);
    }
  const bodies = components.requestBodies as unknown as Record<string, { content: Content }>;
  for (const { content } of Object.values(bodies)) fitContent(content, model, true);
}

type Content = Record<string, { example?: unknown; examples?: Record<string, { value: unknown }> }>;

interface Operation {
  requestBody?: { content?: Content };
  responses: Record<string, { content?: Content }>;
}

function fitContent(content: Content | undefined, model: Replacement, isRequest: boolean): void {
  for (const media of Object.values(content ?? {})) {
    if (media.example !== undefined)
      media.example = fit(media.example, { ...model, isRequest, hasSaid: false });
    for (const example of Object.values(media.examples ?? {}))
      example.value = fit(example.value, { ...model, isRequest, hasSaid: false });
  }
}

interface Fitting extends Replacement {
  isRequest: boolean;
  /** Whether an event of the stream has told the output, of which the others tell nothing more. */
  hasSaid: boolean;
}

function fit(value: unknown, fitting: Fitting, name = "", inEvent = false): unknown {
  const { sample, isRequest } = fitting;
  if (name === "max_model_len") return fitting.context;
  if (name === "data" && typeof value === "string" && value.startsWith("{"))
    return JSON.stringify(fit(JSON.parse(value), fitting, "", true));
  if (sample !== null) {
    if (name === "prompt") return sample.text;
    if (name === "tokens" && Array.isArray(value)) return sample.ids;
    if (name === "token_strs" && value !== null) return sample.pieces;
    if (name === "count") return sample.ids.length;
    if (name === "full_text") return sample.text + UNKNOWN;
    if (name === "generated") return UNKNOWN;
    if (SAID.has(name) && typeof value === "string") {
      if (isRequest) return sample.text;
      if (value === "" || (inEvent && fitting.hasSaid)) return "";
      fitting.hasSaid = inEvent;
      return UNKNOWN;
    }
  }
  if (typeof value === "string") return value.replaceAll(DEFAULT_MODEL, fitting.name);
  if (Array.isArray(value)) return value.map((one) => fit(one, fitting, "", inEvent));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, fit(one, fitting, key, inEvent)]),
  );
}

/** The text whose tokens the examples of /tokenize and /detokenize write out. */
function writtenSample({ paths }: Document): Sample {
  const example = (path: string) => {
    const { responses } = paths[path]!.post as unknown as Operation;
    return responses["200"]!.content!["application/json"]!.example as Record<string, unknown>;
  };
  const { tokens, token_strs } = example("/tokenize");
  const { prompt } = example("/detokenize");
  return { text: prompt as string, ids: tokens as number[], pieces: token_strs as string[] };
}

/** Whether the model's tokens of the text are those that the examples write out. */
function isOwn({ text, ids }: Sample, tokenizer: ServedModel["tokenizer"]): boolean {
  try {
    return tokenizer.encode(text).join() === ids.join();
  } catch {
    // It does not know the text's characters.
    return false;
  }
}

/** Words of the sample, and how many tokens are looked at for them. */
const SAMPLE_WORDS = 5;
const MOST_LOOKED_AT = 5000;

/** A sample for a model that has other tokens than the default model: the text, if the model can read it. */
function sampleOf(tokenizer: ServedModel["tokenizer"], text: string): Sample | null {
  try {
    return readSample(tokenizer, text) ?? wordsOf(tokenizer);
  } catch {
    // A broken tokenizer is told to whoever sends it a text.
    return null;
  }
}

/** @returns null if the tokenizer loses something of the text, or spells it in bytes, as for a language it has not learnt */
function readSample(tokenizer: ServedModel["tokenizer"], text: string): Sample | null {
  try {
    const ids = tokenizer.encode(text);
    const isRead =
      tokenizer.decode(ids) === text &&
      ids.length <= [...text].length &&
      ids.every((id) => id < tokenizer.size);
    return isRead ? { text, ids, pieces: ids.map((id) => tokenizer.decode([id])) } : null;
  } catch {
    return null;
  }
}

/** Tokenizers list characters first and then frequent pieces, so the first tokens of letters are common ones. */
function wordsOf(tokenizer: ServedModel["tokenizer"]): Sample | null {
  const found: string[] = [];
  for (const word of [/^ ?\p{L}{2,}$/u, /^\p{L}$/u, /^\P{C}+$/u]) {
    for (let id = 0; id < Math.min(tokenizer.size, MOST_LOOKED_AT) && found.length < SAMPLE_WORDS; id++) {
      const piece = tokenizer.decode([id]);
      if (word.test(piece)) found.push(piece);
    }
    if (found.length === SAMPLE_WORDS) break;
  }
  const text = found.join("").trim();
  if (text === "") return null;
  const ids = tokenizer.encode(text);
  return { text, ids, pieces: ids.map((id) => tokenizer.decode([id])) };
}
