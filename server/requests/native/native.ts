import { toUSVString } from "node:util";
import type { ModelFolder } from "../../../models/folder.js";
import { invalidField, PublicError } from "../../errors/errors.js";
import type { Finished } from "../../pool/pool.js";
import type { Reader } from "../../texts/texts.js";
import { completionDetails } from "../completion-details.js";
import { choices, type GenerationFields, readTimeouts, taskFields } from "../fields.js";
import type { Draft, Operation, Prepared } from "../operation.js";
import { render } from "../render.js";
import { randomSeed } from "../seed.js";
import { NativeEvents } from "./native-events.js";

/** A validated body, with the schema's defaults filled in. */
export interface NativeFields extends GenerationFields {
  prompt: string;
  max_tokens: number;
  temperature: number;
  top_k: number;
  ignore_eos?: boolean;
  stream?: boolean;
}

/** The differences between /generate and /chat. */
interface Framing {
  path: string;
  /** Whether the model sees the prompt in its chat template. */
  framed: boolean;
  defaultStop: string[];
}

export type NativeModel = Pick<ModelFolder, "tokenizer" | "chatTemplate" | "config">;

/** /generate and /chat: bodies and answers of the replaced FastAPI server, with more fields. */
export function nativeOperations(model: NativeModel): Operation[] {
  const terminator = model.chatTemplate?.terminator ?? null;
  return [
    operation(model, { path: "/generate", framed: false, defaultStop: [] }),
    operation(model, {
      path: "/chat",
      framed: true,
      defaultStop: terminator === null ? [] : [terminator],
    }),
  ];
}

function operation(model: NativeModel, { path, framed, defaultStop }: Framing): Operation {
  const framing = framed ? (model.chatTemplate?.framing ?? 0) : 0;
  return {
    path,
    parse(body) {
      if (framed && model.chatTemplate === null) throw new PublicError("no_chat_template");
      const fields = body as NativeFields;
      return {
        sequences: fields.n ?? 1,
        promptChars: framing + fields.prompt.length,
        maxTokens: fields.max_tokens,
        stream: fields.stream ?? false,
        priority: fields.priority ?? undefined,
        timeouts: readTimeouts(fields),
        prepare: (id, reader) => prepare(fields, id, reader),
      };
    },
  };

  async function prepare(fields: NativeFields, id: string, reader: Reader): Promise<Prepared> {
    const content = toUSVString(fields.prompt);
    const prompt = framed ? await render([{ role: "user", content }], "prompt", reader) : content;
    const [promptIds] = (await reader.encode([prompt], !framed)) as [number[]];
    // For example only spaces, which some tokenizers drop.
    if (promptIds.length === 0)
      throw invalidField(["prompt"], "expected a text that has tokens for this model");
    const { max_tokens: maxTokens, temperature, top_k: topK } = fields;
    const defaults = { maxTokens, temperature, topK, stop: defaultStop };
    const task: Draft = {
      id,
      promptIds,
      ...taskFields(fields, { defaults, model }),
    };
    const seed = fields.seed ?? randomSeed();
    const tasks = choices(task, seed, fields.n ?? 1);
    return {
      tasks,
      answer: (outcomes) => answer({ id, prompt, seed }, outcomes),
      events: () => new NativeEvents(tasks.length),
    };
  }
}

function answer(request: { id: string; prompt: string; seed: number }, outcomes: readonly Finished[]) {
  const { id, prompt, seed } = request;
  const [first] = outcomes as [Finished];
  const completionTokens = outcomes.reduce((sum, outcome) => sum + outcome.completionTokens, 0);
  return {
    prompt,
    ...text(first),
    usage: {
      prompt_tokens: first.promptTokens,
      completion_tokens: completionTokens,
      total_tokens: first.promptTokens + completionTokens,
      prompt_tokens_details: { cached_tokens: first.cachedTokens },
      completion_tokens_details: completionDetails(outcomes),
    },
    id,
    seed,
    ...(outcomes.length > 1 && { choices: outcomes.map((one, index) => ({ index, ...text(one) })) }),
  };
}

function text({ generated, fullText, reason }: Finished) {
  return { generated, full_text: fullText, finish_reason: reason };
}
