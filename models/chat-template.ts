import { Template } from "@huggingface/jinja";
import { ModelError } from "./files/error.js";
import { LIGHT, TemplateTooMuch, whole, within } from "./template-bounds.js";
import { tokenContent } from "./tokenizer/token-content.js";

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
}

/** Longer conversations are never light. */
const MOST_LIGHT_CHARS = 16_384;

/** The template that JAI models are trained with; `import` writes it into a model folder. */
export const jaiChatTemplate = [
  "{% for message in messages %}",
  "{% if message.role == 'user' %}{{ '[QUESTION]\\n' + message.content + '\\n[/QUESTION]\\n\\n' }}",
  "{% elif message.role == 'assistant' %}{{ '[ANSWER]\\n' + message.content + '\\n[/ANSWER]\\n\\n' }}",
  "{% else %}{{ raise_exception('expected the roles user and assistant, got ' + message.role) }}",
  "{% endif %}",
  "{% endfor %}",
  "{% if add_generation_prompt %}{{ '[ANSWER]\\n' }}{% endif %}",
].join("");

const tokenNames = ["bos_token", "eos_token", "pad_token", "unk_token"] as const;

/**
 * Compiles a Jinja chat template; `config` is tokenizer_config.json, whose tokens templates may use.
 * @throws ModelError if it does not parse or cannot render one question
 */
export function compileChatTemplate(
  source: string,
  config: Readonly<Record<string, unknown>> = {},
): ChatTemplate {
  const tokens = Object.fromEntries(tokenNames.map((name) => [name, tokenContent(config[name]) ?? ""]));
  let template: Template;
  try {
    // Jinja reads every line end as `\n`.
    template = new Template(source.replace(/\r\n?/g, "\n"));
  } catch (error) {
    // On a template that is cut off, the parser fails with a TypeError whose message doesn't help.
    const where = error instanceof TypeError ? "" : `: ${firstLine(error)}`;
    throw new ModelError(`chat_template: expected a Jinja template, got one that does not parse${where}`);
  }
  const fill = (messages: readonly Message[], { addGenerationPrompt = false }: RenderOptions) =>
    template.render({
      ...tokens,
      messages,
      add_generation_prompt: addGenerationPrompt,
    });
  const render: ChatTemplate["render"] = (messages, options = {}) => {
    try {
      return within(whole(charactersOf(messages)), () => fill(messages, options));
    } catch (error) {
      throw refusal(error);
    }
  };
  const renderLight: ChatTemplate["renderLight"] = (messages, options = {}) => {
    if (charactersOf(messages) > MOST_LIGHT_CHARS) return null;
    try {
      return within(LIGHT, () => fill(messages, options));
    } catch (error) {
      if (error instanceof TemplateTooMuch) return null;
      throw refusal(error);
    }
  };
  const content = "question";
  const framing = render([{ role: "user", content }], { addGenerationPrompt: true }).length - content.length;
  return { terminator: findTerminator(render), framing, render, renderLight };
}

const charactersOf = (messages: readonly Message[]) =>
  messages.reduce((sum, { content, name = "" }) => sum + content.length + name.length, 0);

function refusal(error: unknown): ModelError {
  const reason =
    error instanceof TemplateTooMuch ? `it takes too much time or text (${error.message})` : firstLine(error);
  return new ModelError(`chat_template: cannot render this conversation: ${reason}`);
}

function findTerminator(render: ChatTemplate["render"]): string | null {
  // Letters alone: a template may trim or escape anything else.
  const answer = "jaiAnswerMarker";
  let text: string;
  try {
    text = render([
      { role: "user", content: "question" },
      { role: "assistant", content: answer },
    ]);
  } catch {
    // A template for questions alone has no answers to end.
    return null;
  }
  const end = text.lastIndexOf(answer);
  if (end < 0) return null;
  const [line] = text
    .slice(end + answer.length)
    .trim()
    .split("\n");
  return line?.trim() || null;
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n", 1)[0] ?? "";
}
