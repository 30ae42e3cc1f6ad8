import { toUSVString } from "node:util";
import type { ModelFolder } from "../../models/folder.js";
import type { GrammarSource } from "../../workers/protocol.js";
import { invalidField, invalidGrammar } from "../errors/errors.js";
import type { Timeouts } from "../queue/deadlines.js";
import type { Draft } from "./operation.js";
import { halves, sequenceSeed } from "./seed.js";

/** The fields of every generating operation: GenerationFields in openapi.yaml. Null means the default. */
export interface GenerationFields {
  temperature: number | null;
  top_k: number | null;
  top_p?: number | null;
  min_p?: number | null;
  typical_p?: number | null;
  repetition_penalty?: number | null;
  presence_penalty?: number | null;
  frequency_penalty?: number | null;
  logit_bias?: Record<string, number> | null;
  seed?: number | null;
  stop?: string | string[] | null;
  min_tokens?: number | null;
  ignore_eos?: boolean | null;
  n?: number | null;
  stream?: boolean | null;
  priority?: number | null;
  timeout?: { queue?: number; first_token?: number; stall?: number; total?: number } | null;
  response_format?: ResponseFormat | null;
  regex?: string | null;
  grammar?: string | null;
}

type ResponseFormat =
  | { type: "text" }
  | { type: "json_object" }
  | { type: "json_schema"; json_schema?: { schema?: object } };

export interface TaskDefaults {
  temperature: number;
  topK: number;
  maxTokens: number;
  stop: readonly string[];
}

/** A task without its id and prompt. */
export type TaskFields = Omit<Draft, "id" | "promptIds">;

/** The fields of a body's tasks, all but the seed. @throws PublicError 422 for errors that the schema can't express */
export function taskFields(
  fields: GenerationFields,
  { defaults, model }: { defaults: TaskDefaults; model: Pick<ModelFolder, "config"> },
): TaskFields {
  const { vocab_size: vocabulary } = model.config;
  const grammar = readGrammar(fields);
  // A text with a form ends by its form, and may contain the default stop text.
  const usualStop = grammar === null ? defaults.stop : [];
  return {
    sampling: {
      temperature: fields.temperature ?? defaults.temperature,
      topK: fields.top_k ?? defaults.topK,
      topP: fields.top_p ?? 1,
      minP: fields.min_p ?? 0,
      typicalP: fields.typical_p ?? 1,
      repetitionPenalty: fields.repetition_penalty ?? 1,
      presencePenalty: fields.presence_penalty ?? 0,
      frequencyPenalty: fields.frequency_penalty ?? 0,
      logitBias: readBias(fields.logit_bias ?? {}, vocabulary),
      seed: halves(0),
    },
    maxTokens: defaults.maxTokens,
    minTokens: fields.min_tokens ?? 0,
    stop: (fields.stop == null ? usualStop : [fields.stop].flat()).map(toUSVString),
    ignoreEos: fields.ignore_eos ?? false,
    logprobs: null,
    promptLogprobs: false,
    grammar,
  };
}

/** One task for each choice: the first with `seed`, each further one with the next seed. */
export function choices(task: Draft, seed: number, count: number, first = 0): Draft[] {
  return Array.from({ length: count }, (_, choice) => ({
    ...task,
    id: count === 1 && first === 0 ? task.id : `${task.id}-${first + choice}`,
    sampling: { ...task.sampling, seed: halves(sequenceSeed(seed, choice)) },
  }));
}

export function readTimeouts({ timeout }: Pick<GenerationFields, "timeout">): Timeouts {
  const { queue, first_token: firstToken, stall, total } = timeout ?? {};
  return {
    ...(queue !== undefined && { queue }),
    ...(firstToken !== undefined && { firstToken }),
    ...(stall !== undefined && { stall }),
    ...(total !== undefined && { total }),
  };
}

/** @throws PublicError 422 if several fields ask for a form, 400 for a schema that is nested too deeply */
function readGrammar({ response_format, regex, grammar }: GenerationFields): GrammarSource | null {
  const sources: GrammarSource[] = [];
  if (response_format?.type === "json_object") sources.push({ type: "json_object" });
  if (response_format?.type === "json_schema")
    sources.push({ type: "json_schema", schema: schemaOf(response_format.json_schema) });
  if (regex != null) sources.push({ type: "regex", pattern: regex });
  if (grammar != null) sources.push({ type: "grammar", ebnf: grammar });
  if (sources.length > 1)
    throw invalidField(["grammar"], "expected one of response_format, regex and grammar, got several");
  return sources[0] ?? null;
}

/** @throws PublicError 422 if there is no schema, 400 if it is nested too deeply to be written as text */
function schemaOf(format: { schema?: object } | undefined): string {
  if (format === undefined)
    throw invalidField(
      ["response_format", "json_schema"],
      "expected a schema with the type json_schema, got nothing",
    );
  try {
    return JSON.stringify(format.schema ?? {});
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalidGrammar("expected a schema with less nesting, got one that is nested too deeply");
  }
}

/** @throws PublicError 422 for a token that the model doesn't have */
function readBias(bias: Record<string, number>, vocabulary: number): [number, number][] {
  return Object.entries(bias).map(([token, value]) => {
    const id = /^\d{1,9}$/.test(token) ? Number(token) : vocabulary;
    if (id >= vocabulary)
      throw invalidField(
        ["logit_bias", token],
        `expected a token id below ${vocabulary}, got ${shown(token)}`,
      );
    return [id, value];
  });
}

/** A text for an error message, shortened. */
function shown(text: string): string {
  return JSON.stringify(text.length > 50 ? `${text.slice(0, 50)}…` : text);
}
