import { invalidField } from "../../errors/errors.js";
import type { Finished } from "../../pool/pool.js";
import type { Delta } from "../../streams/events.js";
import type { Reader } from "../../texts/texts.js";
import { choices, readTimeouts } from "../fields.js";
import type { Draft, Operation, Prepared } from "../operation.js";
import { randomSeed } from "../seed.js";
import { completionLogprobs } from "./logprobs.js";
import { type ChoiceEvents, OpenAiEvents } from "./openai-events.js";
import { type Prompt, promptIds, readPrompts } from "./prompts.js";
import {
  checkLength,
  checkModel,
  checkUnsupported,
  type Limits,
  type OpenAiFields,
  type OpenAiModel,
  openAiTaskFields,
  tokenBudget,
} from "./request.js";
import { TokenRows } from "./token-rows.js";
import { usageOf } from "./usage.js";

/** A validated body. */
export interface CompletionFields extends OpenAiFields {
  prompt: string | (string | number | number[])[];
  max_tokens?: number | null;
  best_of?: number | null;
  echo?: boolean | null;
  logprobs?: number | null;
  suffix?: unknown;
}

/** OpenAI's default for max_tokens. */
const USUAL_TOKENS = 16;

/** OpenAI's text completions: the model continues prompts as they are, without a template. */
export function completions(model: OpenAiModel, limits: Limits): Operation {
  const { config } = model;
  return {
    path: "/v1/completions",
    parse(body) {
      const fields = body as CompletionFields;
      checkModel(fields.model, config.name);
      checkFields(fields);
      const prompts = readPrompts(fields.prompt);
      const longest = Math.max(...prompts.map(({ length }) => length));
      checkLength("prompt", longest, limits);
      return {
        sequences: prompts.length * generatedFor(fields),
        promptChars: prompts.reduce((sum, { length }) => sum + length, 0),
        maxTokens: fields.max_tokens ?? USUAL_TOKENS,
        stream: fields.stream ?? false,
        priority: fields.priority ?? undefined,
        timeouts: readTimeouts(fields),
        prepare: (id, reader) => prepare(fields, prompts, id, reader),
      };
    },
  };

  async function prepare(
    fields: CompletionFields,
    prompts: readonly Prompt[],
    id: string,
    reader: Reader,
  ): Promise<Prepared> {
    const seed = fields.seed ?? randomSeed();
    const n = fields.n ?? 1;
    const perPrompt = generatedFor(fields);
    const ids = await promptIds(prompts, model.tokenizer, reader);
    const tasks = ids.flatMap((promptIds, index) => {
      const task = { ...taskFor(promptIds, fields, model, limits), id };
      return choices(task, seed, perPrompt, index * perPrompt);
    });
    const created = Math.floor(Date.now() / 1000);
    const head = { id: `cmpl-${id}`, object: "text_completion", created, model: config.name };
    return {
      tasks,
      answer: (outcomes) => {
        const chosen = outcomes.flatMap((_, at) => {
          if (at % perPrompt !== 0) return [];
          return best(outcomes.slice(at, at + perPrompt), n).map((outcome) => ({
            task: tasks[at]!,
            outcome,
          }));
        });
        return {
          ...head,
          choices: chosen.map(({ task, outcome }, index) => ({
            index,
            text: fields.echo ? outcome.fullText : outcome.generated,
            logprobs: fields.logprobs == null ? null : logprobsOf(task, outcome, fields, model),
            finish_reason: outcome.reason,
          })),
          usage: usageOf(outcomes, perPrompt),
          seed,
        };
      },
      events: () =>
        new OpenAiEvents({
          head,
          choices: tasks.map((task) => new CompletionChoiceEvents(task, fields, model)),
          includeUsage: fields.stream_options?.include_usage ?? false,
        }),
    };
  }
}

/** @throws PublicError for fields that aren't supported, and for errors that the schema can't express */
function checkFields(fields: CompletionFields): void {
  checkUnsupported(
    { suffix: fields.suffix },
    "the model can only continue a text, not fill a gap before a suffix",
  );
  const { n, best_of: bestOf, max_tokens: maxTokens } = fields;
  if (bestOf != null && bestOf < (n ?? 1))
    throw invalidField(["best_of"], `expected at least n, which is ${n ?? 1}, got ${bestOf}`);
  if (bestOf != null && bestOf > (n ?? 1) && fields.stream)
    throw invalidField(["best_of"], "expected n with stream, since the best are known at the end");
  if (maxTokens === 0 && !fields.echo)
    throw invalidField(["max_tokens"], "expected at least 1 without echo, got 0");
}

function generatedFor({ n, best_of: bestOf }: CompletionFields): number {
  return bestOf ?? n ?? 1;
}

function taskFor(
  ids: number[],
  fields: CompletionFields,
  model: OpenAiModel,
  limits: Limits,
): Omit<Draft, "id"> {
  const { config } = model;
  const maxTokens = tokenBudget({
    promptTokens: ids.length,
    what: "prompt",
    field: "max_tokens",
    asked: fields.max_tokens ?? null,
    usual: USUAL_TOKENS,
    context: config.n_positions,
    limits,
  });
  // best_of ranks texts by their log-probabilities, and a streamed echo needs the first token's id.
  const needed = generatedFor(fields) > (fields.n ?? 1) || (fields.echo && fields.stream);
  return {
    ...openAiTaskFields(fields, maxTokens, model),
    promptIds: ids,
    logprobs: fields.logprobs ?? (needed ? 0 : null),
    promptLogprobs: (fields.echo && fields.logprobs != null) || maxTokens === 0,
  };
}

/** The `n` texts with the highest mean log-probability; if there are only `n`, all of them in their order. */
function best(outcomes: readonly Finished[], n: number): Finished[] {
  if (outcomes.length === n) return [...outcomes];
  const likelihood = ({ logprobs }: Finished) =>
    logprobs!.reduce((sum, { logprob }) => sum + logprob, 0) / Math.max(1, logprobs!.length);
  return outcomes
    .map((outcome) => ({ outcome, likelihood: likelihood(outcome) }))
    .sort((a, b) => b.likelihood - a.likelihood)
    .slice(0, n)
    .map(({ outcome }) => outcome);
}

/**
 * Log-probabilities of every token, even of the one that ended the text: evaluation harnesses rely on one per
 * completion token.
 */
function logprobsOf(task: Draft, outcome: Finished, { echo }: CompletionFields, { tokenizer }: OpenAiModel) {
  const rows = new TokenRows(tokenizer);
  if (echo)
    for (const [at, id] of task.promptIds.entries()) rows.push(id, outcome.promptLogprobs?.[at] ?? null);
  for (const entry of outcome.logprobs ?? []) rows.push(entry.id, entry);
  return completionLogprobs(rows.takeAll());
}

class CompletionChoiceEvents implements ChoiceEvents {
  readonly #task: Draft;
  readonly #fields: CompletionFields;
  readonly #model: OpenAiModel;
  readonly #rows: TokenRows | null;
  #sentChars = 0;
  #echoed: boolean;

  constructor(task: Draft, fields: CompletionFields, model: OpenAiModel) {
    this.#task = task;
    this.#fields = fields;
    this.#model = model;
    this.#rows = fields.logprobs == null ? null : new TokenRows(model.tokenizer);
    this.#echoed = !fields.echo;
  }

  delta(delta: Delta): object[] {
    if (this.#late) return [];
    const text = this.#echoed ? delta.text : this.#echo(delta);
    this.#sentChars += text.length;
    for (const entry of delta.logprobs) this.#rows?.push(entry.id, entry);
    const rows = this.#rows?.take(this.#sentChars) ?? [];
    if (text === "" && rows.length === 0) return [];
    const logprobs = rows.length === 0 ? null : completionLogprobs(rows);
    return [{ text, logprobs, finish_reason: null }];
  }

  end(outcome: Finished): object[] {
    const { reason, fullText } = outcome;
    if (this.#late) {
      const logprobs = logprobsOf(this.#task, outcome, this.#fields, this.#model);
      return [{ text: fullText, logprobs, finish_reason: reason }];
    }
    const rows = this.#rows?.takeAll() ?? [];
    const logprobs = rows.length === 0 ? null : completionLogprobs(rows);
    return [{ text: this.#echoed ? "" : fullText, logprobs, finish_reason: reason }];
  }

  /** Whether all must wait for the end: an echo's log-probabilities begin with the prompt's, known only then. */
  get #late(): boolean {
    return Boolean(this.#fields.echo) && this.#rows !== null;
  }

  /**
   * The prompt and the first text. A space may come between them: after a prompt, the text's first word is not the
   * first.
   */
  #echo({ text, logprobs }: Delta): string {
    this.#echoed = true;
    const { tokenizer } = this.#model;
    const word = logprobs.find(({ id }) => tokenizer.tokenBytes(id, true).bytes !== null);
    const written = (first: boolean) => (word && tokenizer.tokenBytes(word.id, first).text) ?? "";
    const space = written(false).slice(0, written(false).length - written(true).length);
    return tokenizer.decode(this.#task.promptIds) + space + text;
  }
}
