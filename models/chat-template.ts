import { Environment, parse, tokenize } from "@huggingface/jinja";
import { ModelError } from "./files/error.js";
import { LIGHT, Spending, type TemplateBounds, TRIAL, whole } from "./template/bounds.js";
import { globals } from "./template/globals.js";
import { BoundedInterpreter } from "./template/interpreter.js";
import { excessOf } from "./template/limits.js";
import { TemplateTooMuch } from "./template/too-much.js";
import { tokenContent } from "./tokenizer/token-content.js";

export { jaiChatTemplate } from "./template/built-in.js";

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
  /** The speaker's name; most templates ignore it. */
  name?: string;
}

export interface ChatTemplate {
  /**
   * The line that the template writes after an assistant's answer, `[/ANSWER]` for example: it ends a generated
   * answer. Null if the template writes none.
   */
  terminator: string | null;
  /** How many characters the template adds to a short question. */
  framing: number;
  /**
   * The prompt that the model sees. With `addGenerationPrompt` it ends where the answer begins. It may take seconds.
   * @throws ModelError if the template refuses the conversation, or needs too much time or text for it
   */
  render(messages: readonly Message[], options?: RenderOptions): string;
  /**
   * The same for a thread that must not wait: null if it would take more than a few milliseconds.
   * @throws ModelError if the template refuses the conversation
   */
  renderLight(messages: readonly Message[], options?: RenderOptions): string | null;
}

export interface RenderOptions {
  addGenerationPrompt?: boolean;
  /** Whether a few words are tried, so that little time and text is enough; false by default. */
  isTrial?: boolean;
}

/** Longer conversations are never light. */
const MOST_LIGHT_CHARS = 16_384;
/** A longer line after an answer is no stop string. */
const LONGEST_TERMINATOR = 256;

const tokenNames = ["bos_token", "eos_token", "pad_token", "unk_token"] as const;
/** Transformers knows these only where the config has them. */
const rareTokenNames = ["sep_token", "cls_token", "mask_token"] as const;

/**
 * Compiles a Jinja chat template; `config` is tokenizer_config.json, whose tokens templates may use.
 * @throws ModelError if it does not parse or cannot render one question
 */
export function compileChatTemplate(
  source: string,
  config: Readonly<Record<string, unknown>> = {},
): ChatTemplate {
  const program = parsed(source);
  const fill = (
    bounds: TemplateBounds,
    messages: readonly Message[],
    { addGenerationPrompt = false }: RenderOptions,
  ) => {
    const spending = new Spending(bounds);
    const scope = new Environment();
    const given = {
      ...globals(spending),
      ...tokensOf(config),
      ...{ messages, tools: null, documents: null, add_generation_prompt: addGenerationPrompt },
    };
    for (const [name, value] of Object.entries(given)) scope.set(name, value);
    return new BoundedInterpreter(scope, spending).render(program);
  };
  const bounded = (bounds: TemplateBounds, messages: readonly Message[], options: RenderOptions = {}) => {
    try {
      return fill(bounds, messages, options);
    } catch (error) {
      throw error instanceof TemplateTooMuch ? error : refusal(error);
    }
  };
  const render: ChatTemplate["render"] = (messages, options) => {
    try {
      return bounded(options?.isTrial ? TRIAL : whole(charactersOf(messages)), messages, options);
    } catch (error) {
      throw error instanceof TemplateTooMuch ? refusal(error) : error;
    }
  };
  const renderLight: ChatTemplate["renderLight"] = (messages, options) => {
    if (charactersOf(messages) > MOST_LIGHT_CHARS) return null;
    try {
      return bounded(LIGHT, messages, options);
    } catch (error) {
      if (error instanceof TemplateTooMuch) return null;
      throw error;
    }
  };
  const content = "question";
  const question = render([{ role: "user", content }], { addGenerationPrompt: true, isTrial: true });
  const framing = question.length - content.length;
  return { terminator: findTerminator(render), framing, render, renderLight };
}

/** The template of a `chat_template` field: one, or the default among several with names. Null if it holds none. */
export function templateOf(field: unknown): string | null {
  if (typeof field === "string") return field;
  if (!Array.isArray(field)) return null;
  const template: unknown = field.find((one) => one?.name === "default")?.template;
  return typeof template === "string" ? template : null;
}

function parsed(source: string): ReturnType<typeof parse> {
  const excess = excessOf(source);
  if (excess !== null) throw new ModelError(`chat_template: ${excess}`);
  try {
    // Jinja reads every line end as `\n`.
    return parse(tokenize(source.replace(/\r\n?/g, "\n"), { lstrip_blocks: true, trim_blocks: true }));
  } catch (error) {
    // On a template that is cut off, the parser fails with a TypeError whose message doesn't help.
    const where = error instanceof TypeError ? "" : `: ${reasonOf(error)}`;
    throw new ModelError(`chat_template: expected a Jinja template, got one that does not parse${where}`);
  }
}

function tokensOf(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const rare = rareTokenNames.filter((name) => tokenContent(config[name]) !== null);
  return Object.fromEntries([...tokenNames, ...rare].map((name) => [name, tokenContent(config[name]) ?? ""]));
}

const charactersOf = (messages: readonly Message[]) =>
  messages.reduce((sum, { content, name = "" }) => sum + content.length + name.length, 0);

function refusal(error: unknown): ModelError {
  const reason =
    error instanceof TemplateTooMuch ? `it takes too much time or text (${error.message})` : reasonOf(error);
  return new ModelError(`chat_template: cannot render this conversation: ${reason}`);
}

function findTerminator(render: ChatTemplate["render"]): string | null {
  // Letters alone: a template may trim or escape anything else.
  const answer = "jaiAnswerMarker";
  let text: string;
  try {
    text = render(
      [
        { role: "user", content: "question" },
        { role: "assistant", content: answer },
      ],
      { isTrial: true },
    );
  } catch {
    // A template for questions alone has no answers to end.
    return null;
  }
  const end = text.lastIndexOf(answer);
  if (end < 0) return null;
  const [line = ""] = text
    .slice(end + answer.length)
    .trim()
    .split("\n", 1);
  const terminator = line.trim();
  return terminator.length > LONGEST_TERMINATOR ? null : terminator || null;
}

/** A template writes its own refusals, of any length. */
const LONGEST_REASON = 300;

function reasonOf(error: unknown): string {
  // The stack has ended.
  if (error instanceof RangeError) return "it is nested too deeply, or makes too long a text";
  const message = error instanceof Error ? error.message : String(error);
  const [line = ""] = message.slice(0, LONGEST_REASON + 1).split("\n", 1);
  const plain = line.replace(/[\s\p{Cc}\u2028\u2029]+/gu, " ").trim();
  // As for a `break` outside of a loop.
  if (plain === "") return "it fails and doesn't say why";
  return plain.length > LONGEST_REASON ? `${plain.slice(0, LONGEST_REASON)}…` : plain;
}
