import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { publicError } from "../errors/errors.js";
import { readDocument } from "../http/document.js";
import { Callers } from "../keys/callers.js";
import { Generation, type Listener } from "../requests/generation.js";
import { nativeOperations } from "../requests/native/native.js";
import type { Operation } from "../requests/operation.js";
import { describe, Runtime } from "../serve/runtime.js";
import { type Config, ConfigError } from "../settings/config.js";
import { Turns } from "../turns.js";
import { JaiError, type JaiErrorCode } from "./error.js";
import type { GenerateOptions } from "./generate-options.js";
import type { GenerateResult } from "./generate-result.js";
import type { GenerationStream, TextPiece } from "./generation-stream.js";
import { camelCase, camelCaseFields } from "./internal/camel-case.js";
import { GenerateBodies } from "./internal/generate-body.js";
import { PieceBuffer } from "./internal/piece-buffer.js";
import { optionNames, readOptions, takeLog } from "./internal/read-options.js";
import { shown } from "./internal/shown.js";
import type { ModelOptions } from "./model-options.js";

/** A loaded model. */
export interface Model {
  /** The model's name, from its folder's `config.json`. */
  readonly name: string;
  /** Precision of the weights. */
  readonly precision: "int8" | "fp32";
  /** Context window, in tokens. */
  readonly context: number;
  /** Size of the vocabulary. */
  readonly vocabulary: number;
  /** How many texts are generated at once; further ones wait. */
  readonly concurrency: number;

  /**
   * Generates a text. Concurrent calls are batched; each gets the text that it would get alone.
   * @throws JaiError, whose `code` says why
   * @throws the reason of `signal` if that was aborted
   * @example
   * const { generated } = await model.generate({ prompt: "판교에서 개발자 채용해?", chat: true, maxTokens: 100 });
   */
  generate(options: GenerateOptions): Promise<GenerateResult>;

  /**
   * Generates a text that is read as it is generated. The joined pieces are the text that `generate` gives for the same
   * options. Starts at once. Errors are thrown in the loop and reject `result`; the call itself throws none.
   * @example
   * for await (const { text } of model.stream({ prompt: "판교에서 개발자 채용해?", chat: true })) process.stdout.write(text);
   */
  stream(options: GenerateOptions): GenerationStream;

  /**
   * Refuses new generations, finishes those that wait or run, and ends the worker threads.
   * @param options `drainSeconds`: cancel unfinished generations after this time. Default: never
   * @example
   * await model.close();
   */
  close(options?: { drainSeconds?: number }): Promise<void>;
}

/** The server's limits protect it from clients; a program needs no protection from itself. */
const unbounded = {
  queueLimit: 1_000_000,
  maxTokens: 1_000_000,
  maxPromptChars: 10_000_000,
} satisfies Partial<Config>;

const names: readonly string[] = [
  "device",
  "workers",
  "concurrency",
  "threads",
  "contextStride",
  "speculation",
  "queueLimit",
] satisfies (keyof ModelOptions & keyof Config)[];

/**
 * Loads a model in worker threads of its own.
 * @param dir a model folder made by `jai import` or `importCheckpoint`
 * @throws an error with a one-line message: what is wrong with the folder or an option
 * @example
 * import { openModel } from "jai-server";
 *
 * const model = await openModel("models/mine");
 * const { generated } = await model.generate({ prompt: "Once upon a time", maxTokens: 50, seed: 7 });
 * await model.close();
 */
export async function openModel(dir: string, options: ModelOptions = {}): Promise<Model> {
  if (typeof dir !== "string") throw new ConfigError(`dir: expected a folder's path, got ${shown(dir)}`);
  const { log, others } = takeLog(options);
  const config = { ...readOptions(others, { names, otherwise: unbounded }), model: resolve(dir) };
  const runtime = await optionNames(Runtime.open({ config, callers: new Callers(null), log }));
  describe(runtime, log);
  try {
    await runtime.load();
  } catch (error) {
    await runtime.close();
    throw error;
  }
  runtime.queue.open();
  return new LoadedModel(runtime, new GenerateBodies(readDocument(config)));
}

class LoadedModel implements Model {
  readonly #runtime: Runtime;
  readonly #bodies: GenerateBodies;
  readonly #operations: Record<"generate" | "chat", Operation>;
  readonly #caller = new Callers(null).anonymous;
  /** Takes turns, since tokenizing a long prompt blocks the thread for tens of milliseconds. */
  readonly #preparing = new Turns();
  #closed: Promise<void> | null = null;

  constructor(runtime: Runtime, bodies: GenerateBodies) {
    this.#runtime = runtime;
    this.#bodies = bodies;
    const [generate, chat] = nativeOperations(runtime.model) as [Operation, Operation];
    this.#operations = { generate, chat };
    // No worker is left: waiting generations would otherwise wait forever.
    runtime.on("down", () => void this.close({ drainSeconds: 0 }));
  }

  get name(): string {
    return this.#runtime.model.config.name;
  }

  get precision(): "int8" | "fp32" {
    return this.#runtime.model.config.precision;
  }

  get context(): number {
    return this.#runtime.model.config.n_positions;
  }

  get vocabulary(): number {
    return this.#runtime.model.config.vocab_size;
  }

  get concurrency(): number {
    return this.#runtime.plan.concurrency;
  }

  generate(options: GenerateOptions): Promise<GenerateResult> {
    return this.#run(options, options?.signal, null);
  }

  stream(options: GenerateOptions): GenerationStream {
    const leaving = new AbortController();
    const signals = [leaving.signal, ...(options?.signal instanceof AbortSignal ? [options.signal] : [])];
    const run = (push: (piece: TextPiece) => void) => this.#run(options, AbortSignal.any(signals), push);
    return new PieceBuffer(run, () => leaving.abort());
  }

  close({ drainSeconds }: { drainSeconds?: number } = {}): Promise<void> {
    this.#closed ??= this.#runtime.drain(drainSeconds).then(() => this.#runtime.close());
    return this.#closed;
  }

  async #run(
    options: GenerateOptions,
    signal: AbortSignal | undefined,
    push: ((piece: TextPiece) => void) | null,
  ): Promise<GenerateResult> {
    const body = this.#bodies.make(options);
    signal?.throwIfAborted();
    const operation = this.#operations[options.chat ? "chat" : "generate"];
    const { queue, forms, texts } = this.#runtime;
    let generation: Generation | null = null;
    const leave = () => generation?.cancel();
    signal?.addEventListener("abort", leave);
    try {
      const taken = new Generation({
        queue,
        forms,
        texts,
        request: operation.parse(body),
        id: randomUUID(),
        caller: this.#caller,
      });
      generation = taken;
      const prepared = await this.#preparing.take(() => taken.prepare());
      const { outcomes } = await taken.run(push === null ? {} : pieces(push));
      return camelCaseFields(prepared.answer(outcomes)) as GenerateResult;
    } catch (error) {
      leave();
      if (signal?.aborted) throw signal.reason;
      throw toJaiError(error);
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }
}

/** Pushes deltas as pieces, and at a text's end what is missing, so that the joined pieces are the whole text. */
function pieces(push: (piece: TextPiece) => void): Listener {
  const sent = new Map<number, { characters: number; tokens: number }>();
  const send = (index: number, text: string, tokens: number) => {
    const before = sent.get(index) ?? { characters: 0, tokens: 0 };
    sent.set(index, { characters: before.characters + text.length, tokens: before.tokens + tokens });
    if (tokens > 0 || text !== "") push({ text, tokens, index });
  };
  return {
    onDelta: (index, { text, tokens }) => send(index, text, tokens),
    onEnd: (index, { generated, completionTokens }) => {
      const { characters, tokens } = sent.get(index) ?? { characters: 0, tokens: 0 };
      send(index, generated.slice(characters), completionTokens - tokens);
    },
  };
}

/** The library's codes for HTTP's. Any other error is a bug of this package. */
const codes: Record<string, JaiErrorCode> = {
  invalid_body: "invalid_options",
  invalid_grammar: "invalid_options",
  no_chat_template: "invalid_options",
  queue_full: "queue_full",
  shutting_down: "closed",
  deadline_exceeded: "deadline_exceeded",
  worker_lost: "worker_lost",
  generation_failed: "generation_failed",
};

function toJaiError(thrown: unknown): unknown {
  const { code, body } = publicError(thrown);
  const known = codes[code];
  if (known === undefined) return thrown;
  if (known === "closed") return new JaiError(known, "the model is closed");
  const { detail } = body;
  if (typeof detail === "string") return new JaiError(known, detail);
  const lines = detail.map(({ loc, msg }) => {
    const path = loc.slice(1).map((part) => camelCase(String(part)));
    return `${path.join(".") || "options"}: ${msg.replace("Value error, ", "")}`;
  });
  return new JaiError(known, lines.join("; "));
}
