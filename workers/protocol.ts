import type { MessagePort } from "node:worker_threads";
import type { SelfTestResult } from "../models/self-test.js";

/** Where a session's arithmetic runs. */
export type Device = "cpu" | "cuda" | "webgpu";

/** What a worker thread needs to know before it can load the model; the same for every worker of the pool. */
export interface WorkerSetup {
  /** Absolute path of the model folder. */
  modelDir: string;
  device: Device;
  /** One id per worker; `claims` says which of them are taken. On the CPU a single 0. */
  deviceIds: number[];
  /**
   * Int32Array over shared memory, one element for each of `deviceIds`: 0 while the device is free, else the thread id
   * of the worker that runs on it. The main thread frees a dead worker's claim, so that its successor gets that device.
   */
  claims: SharedArrayBuffer;
  /** The shared memory of a `Halt`; a worker's place in it is that of its claim. */
  halt: SharedArrayBuffer;
  /** The shared memory of an `Occupancy`, likewise. */
  occupancy: SharedArrayBuffer;
  /** Sequences that one worker runs at once. */
  slots: number;
  /** Threads of the native runtime in each worker. */
  threads: number;
  /** The same of the first worker while no other has a sequence; no more than `threads` where it makes no difference. */
  threadsAlone: number;
  /** How far the window slides when a sequence outgrows the context; see `Sequence`. */
  contextStride: number;
}

/** Told once by every worker, on the worker's own channel to the main thread. */
export type WorkerStatus =
  /** `remark`: what is not as planned, for the log. */
  | { type: "ready"; threadId: number; selfTest: SelfTestResult; remark?: string | undefined }
  | { type: "failed"; message: string };

/**
 * What the sequences that asked for it have written since the last such message, on the worker's own channel. What the outcome's text has beyond these is told by it alone, and
 * deltas of a sequence may arrive after its outcome.
 */
export interface Deltas {
  type: "deltas";
  deltas: Delta[];
}

/** A sequence's id, its new text, how many tokens that is, and of each of them what was asked for. */
export type Delta = [id: string, text: string, tokens: number, logprobs?: TokenLogprob[]];

/** How a sequence's next token is drawn; `sampling.ts` says in which order these apply, and by which formulas. */
export interface Sampling {
  /** 0 is greedy. */
  temperature: number;
  /** 0 is off. */
  topK: number;
  /** 1 is off. */
  topP: number;
  /** 0 is off. */
  minP: number;
  /** 1 is off. */
  typicalP: number;
  /** 1 is off. */
  repetitionPenalty: number;
  /** 0 is off. */
  presencePenalty: number;
  /** 0 is off. */
  frequencyPenalty: number;
  /** Added to these tokens' logits; a token at most once. */
  logitBias: readonly (readonly [token: number, bias: number])[];
  /** Two 32-bit halves (low, high) of a 64-bit seed. */
  seed: readonly [number, number];
}

/** A form that the text has to have, as its author wrote it. */
export type GrammarSource =
  | { type: "json_object" }
  /** A JSON Schema, as JSON text. */
  | { type: "json_schema"; schema: string }
  | { type: "regex"; pattern: string }
  | { type: "grammar"; ebnf: string };

/** A token's natural log-probability by the model's own distribution: the softmax of its logits, before any sampling parameter. */
export interface TokenLogprob {
  id: number;
  logprob: number;
  /** The likeliest tokens in falling order, equal ones by their ids; the token itself need not be among them. */
  top: [id: number, logprob: number][];
}

/** A sequence's prompt has been read and its first token drawn, on the worker's own channel; not told where its end comes with that. */
export interface PromptRead {
  type: "read";
  id: string;
}

/** Worker → main thread, on the worker's own channel. */
export type FromWorker = WorkerStatus | Deltas | PromptRead;

/** One sequence to generate, as the pool hands it to a worker. */
export interface GenerateTask {
  /** The request's id: for logs, and to tell its deltas. */
  id: string;
  /** Ids of the whole prompt, as tokenized; never empty. */
  promptIds: number[];
  /** How many tokens to generate at most; 0, which only reads the prompt, goes with `promptLogprobs`. */
  maxTokens: number;
  /** Until there are so many, neither the end-of-sequence token nor a stop string ends it; 0 is off. */
  minTokens: number;
  sampling: Sampling;
  /** null: none. A number: of each token its log-probability, and those of so many of the likeliest. */
  logprobs: number | null;
  /** The log-probability of each of the prompt's tokens. Such a prompt is computed in full, without the cache's help. */
  promptLogprobs: boolean;
  /** null: any text. */
  grammar: GrammarSource | null;
  /** Text that ends the generation and is not part of it. */
  stop: string[];
  /** Go on past the end-of-sequence token. */
  ignoreEos: boolean;
  /** Send its text as it comes, in `Deltas`. */
  stream: boolean;
  /** Carries `ToSequence` in and `FromSequence` out; transferred with the task. */
  port: MessagePort;
}

/** Main thread → worker, on the task's port. */
export type ToSequence = { type: "cancel" };

/** `length`: `maxTokens` were generated. `stop`: the end-of-sequence token, a stop string, or the end of what the grammar allows. */
export type FinishReason = "stop" | "length";

/** Worker → main thread, on the task's port. Exactly one of `finished`, `cancelled` and `failed` is sent, and is the last. */
export type FromSequence =
  | {
      type: "finished";
      reason: FinishReason;
      /** The decoded continuation. */
      generated: string;
      /** The decoded prompt and continuation. */
      fullText: string;
      promptTokens: number;
      completionTokens: number;
      /** Of the prompt's tokens, those that were not computed since the cache still held them. */
      cachedTokens: number;
      /** From the worker's receipt of the task to its first token, or to its end where it has none, in milliseconds. */
      firstTokenMs: number;
      /** One for each token of the completion, where asked for. */
      logprobs?: TokenLogprob[];
      /** One for each token of the prompt, where asked for; null for the first, and for those before the context window. */
      promptLogprobs?: (TokenLogprob | null)[];
    }
  /** With the tokens that it has written until then. */
  | { type: "cancelled"; completionTokens: number }
  /** `form`: it is the request's own fault, whose text can't be held to the form that it asks for. */
  | { type: "failed"; message: string; form: boolean };
