import { toUSVString } from "node:util";
import type { IRouter, Request } from "express";
import { invalidField } from "../errors/errors.js";
import { callerOf } from "../keys/authenticate.js";
import { Cancelled } from "../queue/refusal.js";
import { type ChatMessage, conversationChars, renderConversation } from "../requests/openai/conversation.js";
import { checkIds } from "../requests/openai/prompts.js";
import { checkLength, checkModel, type Limits, type OpenAiModel } from "../requests/openai/request.js";
import type { Reader, Texts } from "../texts/texts.js";

export interface TokenizeBody {
  model?: string | null;
  prompt?: string;
  messages?: ChatMessage[];
  add_special_tokens?: boolean | null;
  return_token_strs?: boolean | null;
}

export interface DetokenizeBody {
  model?: string | null;
  tokens: number[];
}

export interface RenderBody {
  model?: string | null;
  messages: ChatMessage[];
}

export interface ToolParts {
  model: OpenAiModel;
  config: Limits;
  texts: Pick<Texts, "reader" | "withPlace">;
}

/**
 * Routes that tokenize, detokenize and render conversations. They generate nothing and take no place in the queue, but
 * one among the tools.
 */
export function toolRoutes(app: IRouter, { model, config: limits, texts }: ToolParts): void {
  const { tokenizer, config } = model;
  const measured = (tokens: readonly number[]) => ({
    tokens,
    count: tokens.length,
    max_model_len: config.n_positions,
  });
  const render = (messages: readonly ChatMessage[], reader: Reader) => {
    checkLength("messages", conversationChars(messages), limits);
    return renderConversation(messages, reader);
  };
  const readText = async ({ prompt, messages }: TokenizeBody, reader: Reader) => {
    if ((prompt === undefined) === (messages === undefined))
      throw invalidField(
        [],
        `expected either prompt or messages, got ${prompt === undefined ? "neither" : "both"}`,
      );
    if (messages !== undefined) return render(messages, reader);
    checkLength("prompt", prompt!.length, limits);
    return toUSVString(prompt!);
  };
  const post = (path: string, answer: (body: object, reader: Reader) => Promise<object>) =>
    app.post(path, async (req, res) => {
      const body = req.body as { model?: string | null };
      checkModel(body.model, config.name);
      const caller = callerOf(res).name;
      const answered = await texts.withPlace(caller, () =>
        whilePresent(req, (signal) => answer(body, texts.reader({ caller, signal }))),
      );
      res.json(answered);
    });

  post("/tokenize", async (body, reader) => {
    const { return_token_strs, add_special_tokens, ...source } = body as TokenizeBody;
    const text = await readText(source, reader);
    // A chat template writes them itself.
    const adds = add_special_tokens ?? source.messages === undefined;
    const [tokens] = (await reader.encode([text], adds)) as [number[]];
    return { ...measured(tokens), token_strs: return_token_strs ? await reader.spell(tokens) : null };
  });
  post("/detokenize", async (body, reader) => {
    const { tokens } = body as DetokenizeBody;
    checkIds(tokens, "tokens", tokenizer);
    return { prompt: await reader.decode(tokens) };
  });
  post("/v1/chat/completions/render", async (body, reader) => {
    const prompt = await render((body as RenderBody).messages, reader);
    const [tokens] = (await reader.encode([prompt], false)) as [number[]];
    return { prompt, ...measured(tokens) };
  });
}

/** Aborts the work's signal when the client leaves. */
async function whilePresent<T>({ socket }: Request, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const leaving = new AbortController();
  const leave = () => leaving.abort(new Cancelled());
  // A client may pipeline several requests, each of which listens.
  socket.setMaxListeners(0);
  socket.once("close", leave);
  try {
    return await work(leaving.signal);
  } finally {
    socket.off("close", leave);
  }
}
