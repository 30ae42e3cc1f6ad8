import { invalidField, PublicError } from "../../errors/errors.js";
import type { Finished } from "../../pool/pool.js";
import type { Delta } from "../../streams/events.js";
import type { Reader } from "../../texts/texts.js";
import { choices, readTimeouts } from "../fields.js";
import type { Draft, Operation, Prepared } from "../operation.js";
import { randomSeed } from "../seed.js";
import { type ChatMessage, conversationChars, renderConversation } from "./conversation.js";
import { chatLogprobs } from "./logprobs.js";
import { type ChoiceEvents, OpenAiEvents } from "./openai-events.js";
import {
  checkLength,
  checkModel,
  checkUnsupported,
  type Limits,
  type OpenAiFields,
  type OpenAiModel,
  openAiTaskFields,
  shown,
  tokenBudget,
} from "./request.js";
import { TokenRows } from "./token-rows.js";
import { usageOf } from "./usage.js";

/** A validated body. */
export interface ChatFields extends OpenAiFields {
  messages: ChatMessage[];
  max_completion_tokens?: number | null;
  max_tokens?: number | null;
  logprobs?: boolean | null;
  top_logprobs?: number | null;
  tools?: unknown;
  tool_choice?: unknown;
  modalities?: unknown;
}

/** OpenAI's fields that openapi.yaml lacks and that are refused by name. Other unknown fields are ignored. */
interface RefusedFields {
  functions?: unknown;
  function_call?: unknown;
  audio?: unknown;
  web_search_options?: unknown;
}

/** OpenAI's chat: messages are rendered by the model's chat template, and the model answers them. */
export function chatCompletions(model: OpenAiModel, limits: Limits): Operation {
  const { chatTemplate, config } = model;
  return {
    path: "/v1/chat/completions",
    parse(body) {
      const fields = body as ChatFields;
      checkModel(fields.model, config.name);
      if (chatTemplate === null) throw new PublicError("no_chat_template");
      checkFields(fields);
      const chars = conversationChars(fields.messages);
      checkLength("messages", chars, limits);
      return {
        sequences: fields.n ?? 1,
        promptChars: chars + chatTemplate.framing * fields.messages.length,
        maxTokens: askedTokens(fields).asked ?? Math.min(limits.maxTokens, config.n_positions),
        stream: fields.stream ?? false,
        priority: fields.priority ?? undefined,
        timeouts: readTimeouts(fields),
        prepare: (id, reader) => prepare({ fields, id, model, limits, reader }),
      };
    },
  };
}

interface Preparation {
  fields: ChatFields;
  id: string;
  model: OpenAiModel;
  limits: Limits;
  reader: Reader;
}

async function prepare(preparation: Preparation): Promise<Prepared> {
  const { fields, id, model } = preparation;
  const { config } = model;
  const seed = fields.seed ?? randomSeed();
  const tasks = choices(await draft(preparation), seed, fields.n ?? 1);
  const created = Math.floor(Date.now() / 1000);
  const head = (object: string) => ({ id: `chatcmpl-${id}`, object, created, model: config.name });
  return {
    tasks,
    answer: (outcomes) => ({
      ...head("chat.completion"),
      choices: outcomes.map((outcome, index) => ({
        index,
        message: { role: "assistant", content: outcome.generated, refusal: null },
        logprobs: fields.logprobs ? logprobsOf(outcome, model) : null,
        finish_reason: outcome.reason,
      })),
      usage: usageOf(outcomes, outcomes.length),
      seed,
    }),
    events: () =>
      new OpenAiEvents({
        head: head("chat.completion.chunk"),
        choices: tasks.map(() => new ChatChoiceEvents(model, fields.logprobs ?? false)),
        includeUsage: fields.stream_options?.include_usage ?? false,
      }),
  };
}

/** The task of every choice, without its seed. */
async function draft({ fields, id, model, limits, reader }: Preparation): Promise<Draft> {
  const { chatTemplate, config } = model;
  const prompt = await renderConversation(fields.messages, reader);
  const [promptIds] = (await reader.encode([prompt], false)) as [number[]];
  if (promptIds.length === 0)
    throw invalidField(["messages"], "expected texts that have tokens for this model");
  const context = config.n_positions;
  const maxTokens = tokenBudget({
    promptTokens: promptIds.length,
    what: "messages",
    ...askedTokens(fields),
    usual: context,
    context,
    limits,
  });
  const plain = openAiTaskFields(fields, maxTokens, model);
  const terminator = chatTemplate?.terminator ?? null;
  return {
    ...plain,
    id,
    promptIds,
    // Without the terminator the model would go on and write the next question itself. A form has its own end.
    stop:
      terminator === null || plain.grammar !== null ? plain.stop : [...new Set([...plain.stop, terminator])],
    logprobs: fields.logprobs ? (fields.top_logprobs ?? 0) : null,
  };
}

/** @throws PublicError for fields that aren't supported, and for errors that the schema can't express */
function checkFields(fields: ChatFields & RefusedFields): void {
  const { tool_choice: toolChoice, function_call: functionCall, modalities } = fields;
  const calls = "the model calls no tools";
  // Tools that must not be called ("none") need no support.
  if (toolChoice !== "none") checkUnsupported({ tools: fields.tools }, calls);
  if (toolChoice !== "none" && toolChoice !== "auto") checkUnsupported({ tool_choice: toolChoice }, calls);
  if (functionCall !== "none") checkUnsupported({ functions: fields.functions }, calls);
  if (functionCall !== "none" && functionCall !== "auto")
    checkUnsupported({ function_call: functionCall }, calls);
  const others = Array.isArray(modalities) ? modalities.filter((one) => one !== "text") : modalities;
  checkUnsupported({ modalities: others, audio: fields.audio }, "the model writes only text");
  checkUnsupported({ web_search_options: fields.web_search_options }, "the model can't search the web");
  if (fields.top_logprobs && !fields.logprobs)
    throw invalidField(
      ["top_logprobs"],
      `expected logprobs to be true with top_logprobs, got ${shown(fields.logprobs)}`,
    );
}

function askedTokens({ max_completion_tokens: now, max_tokens: before }: ChatFields) {
  const field = now == null ? "max_tokens" : "max_completion_tokens";
  return { field, asked: now ?? before ?? null };
}

function logprobsOf({ generated, logprobs }: Finished, { tokenizer }: OpenAiModel) {
  const rows = new TokenRows(tokenizer);
  for (const entry of logprobs ?? []) rows.push(entry.id, entry);
  return chatLogprobs(rows.take(generated.length));
}

class ChatChoiceEvents implements ChoiceEvents {
  readonly #rows: TokenRows | null;
  #sentChars = 0;
  #began = false;

  constructor({ tokenizer }: OpenAiModel, logprobs: boolean) {
    this.#rows = logprobs ? new TokenRows(tokenizer) : null;
  }

  delta({ text, logprobs }: Delta): object[] {
    this.#sentChars += text.length;
    for (const entry of logprobs) this.#rows?.push(entry.id, entry);
    const rows = this.#rows?.take(this.#sentChars) ?? [];
    if (text === "" && rows.length === 0) return [];
    const tokens = rows.length === 0 ? null : chatLogprobs(rows);
    return [...this.#begin(), { delta: { content: text }, logprobs: tokens, finish_reason: null }];
  }

  end({ reason }: Finished): object[] {
    return [...this.#begin(), { delta: {}, logprobs: null, finish_reason: reason }];
  }

  #begin(): object[] {
    if (this.#began) return [];
    this.#began = true;
    return [
      { delta: { role: "assistant", content: "", refusal: null }, logprobs: null, finish_reason: null },
    ];
  }
}
