import { toUSVString } from "node:util";
import { Router } from "express";
import { invalidField } from "../errors/errors.js";
import { type ChatMessage, conversationChars, renderConversation } from "../requests/openai/conversation.js";
import { checkIds } from "../requests/openai/prompts.js";
import { checkLength, checkModel, type Limits, type OpenAiModel } from "../requests/openai/request.js";

export interface TokenizeBody {
  model?: string | null;
  prompt?: string;
  messages?: ChatMessage[];
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

/** Routes that tokenize, detokenize and render conversations. They generate nothing and take no place in the queue. */
export function toolRoutes(model: OpenAiModel, limits: Limits): Router {
  const router = Router();
  const { tokenizer, chatTemplate, config } = model;
  const measured = (tokens: readonly number[]) => ({
    tokens,
    count: tokens.length,
    max_model_len: config.n_positions,
  });
  const render = (messages: readonly ChatMessage[]) => {
    checkLength("messages", conversationChars(messages), limits);
    return renderConversation(messages, chatTemplate);
  };
  const readText = ({ prompt, messages }: TokenizeBody) => {
    if ((prompt === undefined) === (messages === undefined))
      throw invalidField(
        [],
        `expected either prompt or messages, got ${prompt === undefined ? "neither" : "both"}`,
      );
    if (messages !== undefined) return render(messages);
    checkLength("prompt", prompt!.length, limits);
    return toUSVString(prompt!);
  };

  router.post("/tokenize", (req, res) => {
    const body = req.body as TokenizeBody;
    checkModel(body.model, config.name);
    const tokens = tokenizer.encode(readText(body));
    res.json({
      ...measured(tokens),
      token_strs: body.return_token_strs
        ? tokens.map((id, at) => tokenizer.tokenBytes(id, at === 0).text ?? "\ufffd")
        : null,
    });
  });
  router.post("/detokenize", (req, res) => {
    const { model: asked, tokens } = req.body as DetokenizeBody;
    checkModel(asked, config.name);
    checkIds(tokens, "tokens", tokenizer);
    res.json({ prompt: tokenizer.decode(tokens) });
  });
  router.post("/v1/chat/completions/render", (req, res) => {
    const { model: asked, messages } = req.body as RenderBody;
    checkModel(asked, config.name);
    const prompt = render(messages);
    res.json({ prompt, ...measured(tokenizer.encode(prompt)) });
  });
  return router;
}
