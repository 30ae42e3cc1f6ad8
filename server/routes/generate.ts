import { randomUUID } from "node:crypto";
import { toUSVString } from "node:util";
import { type Request, type Response, Router } from "express";
import type { ModelFolder } from "../../models/folder.js";
import { invalidBody } from "../errors.js";
import { EventStream, type EventStreamOptions } from "../event-stream.js";
import { excerpt, type Log } from "../log.js";
import type { Outcome, Task } from "../pool.js";
import type { Queue } from "../queue/queue.js";
import { Removed } from "../queue/refusal.js";
import type { Ticket } from "../queue/ticket.js";

/** A body that has been validated: the defaults are in it. */
interface GenerationRequest {
  prompt: string;
  max_tokens: number;
  temperature: number;
  top_k: number;
  seed?: number;
  stop?: string | string[];
  ignore_eos: boolean;
  stream: boolean;
}

export interface GenerateParts {
  model: Pick<ModelFolder, "tokenizer" | "chatTemplate">;
  queue: Queue<Task, Outcome>;
  log: Log;
  streams?: EventStreamOptions | undefined;
}

/** Where the two operations differ. */
interface Framing {
  /** The text that the model is to see. */
  frame: (prompt: string) => string;
  defaultStop: string[];
}

export function generateRoutes(parts: GenerateParts): Router {
  const { terminator, render } = parts.model.chatTemplate;
  const router = Router();
  router.post("/generate", answer(parts, { frame: (prompt) => prompt, defaultStop: [] }));
  router.post(
    "/chat",
    answer(parts, {
      frame: (content) => render([{ role: "user", content }], { addGenerationPrompt: true }),
      defaultStop: terminator === null ? [] : [terminator],
    }),
  );
  return router;
}

function answer({ model, queue, log, streams }: GenerateParts, { frame, defaultStop }: Framing) {
  return async (req: Request, res: Response): Promise<void> => {
    const fields = req.body as GenerationRequest;
    const { socket } = req;
    const id = randomUUID();
    res.set("X-Request-Id", id);
    log.info(`${id} - ${req.path}: ${excerpt(fields.prompt)}`, { id, path: req.path });
    // The socket's own event: a pipelined request's response hears of a disconnection only when its turn comes.
    let ticket: Ticket<Task, Outcome> | null = null;
    const leave = () => ticket?.cancel();
    // A client may pipeline as many requests as the queue has places, each of which listens.
    socket.setMaxListeners(0);
    socket.once("close", leave);
    try {
      const promptTokens = fields.prompt.length;
      ticket = queue.reserve({ caller: "anonymous", priority: 0, sequences: 1, promptTokens });
      if (socket.destroyed) leave();
      const prompt = frame(toUSVString(fields.prompt));
      const promptIds = model.tokenizer.encode(prompt);
      if (promptIds.length === 0) throw noTokens();
      ticket.adjust(promptIds.length);
      const seed = fields.seed ?? randomSeed();
      const stop = fields.stop === undefined ? defaultStop : [fields.stop].flat().map(toUSVString);
      const events = fields.stream ? new EventStream(res, streams) : null;
      const task: Task = {
        id,
        promptIds,
        maxTokens: fields.max_tokens,
        temperature: fields.temperature,
        topK: fields.top_k,
        seed: halves(seed),
        stop,
        ignoreEos: fields.ignore_eos,
        ...((events || ticket.wantsProgress) && {
          onText: (text, tokens) => {
            ticket?.progress(0, tokens);
            events?.delta(text, tokens);
          },
        }),
      };
      const sequence = { item: task, tokens: promptIds.length + task.maxTokens };
      const [done] = ticket.submit([sequence], (standing) => events?.queue(standing));
      const { outcome, queueMs, runMs } = await done!;
      if (outcome.type === "cancelled") throw new Removed();
      const { reason, completionTokens } = outcome;
      const body = {
        prompt,
        generated: outcome.generated,
        full_text: outcome.fullText,
        finish_reason: reason,
        usage: {
          prompt_tokens: outcome.promptTokens,
          completion_tokens: completionTokens,
          total_tokens: outcome.promptTokens + completionTokens,
          prompt_tokens_details: { cached_tokens: outcome.cachedTokens },
        },
        id,
        seed,
      };
      if (events) events.finish(body);
      else res.json(body);
      const [queued, first, ran] = [queueMs, outcome.firstTokenMs, runMs].map(Math.round);
      const times = `queued ${queued} ms, first token after ${first} ms, ran ${ran} ms`;
      log.info(`${id} - ${completionTokens} tokens, ${reason}, ${times}`, {
        id,
        tokens: completionTokens,
        finish_reason: reason,
        queue_ms: queued,
        first_token_ms: first,
        run_ms: ran,
      });
    } catch (error) {
      leave();
      const what = error instanceof Removed ? "cancelled" : `failed: ${(error as Error).message}`;
      log.info(`${id} - ${what}`, { id });
      throw error;
    } finally {
      socket.off("close", leave);
    }
  };
}

/** Spaces alone, to a tokenizer that drops them. */
function noTokens() {
  return invalidBody({
    loc: ["body", "prompt"],
    msg: "Value error, expected a text that has tokens for this model",
    type: "value_error",
  });
}

/** 53 bits, so that it is exact in every client's JSON. */
function randomSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high! >>> 11) * 2 ** 32 + low!;
}

/** A seed's low and high 32 bits, in two's complement. */
function halves(seed: number): readonly [number, number] {
  const bits = BigInt.asUintN(64, BigInt(seed));
  return [Number(bits & 0xffff_ffffn), Number(bits >> 32n)];
}
