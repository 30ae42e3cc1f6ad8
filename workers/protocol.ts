import type { MessagePort } from "node:worker_threads";

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
  /** Sequences that one worker runs at once. */
  slots: number;
  /** Threads of the native runtime in each worker. */
  threads: number;
  /** How far the window slides when a sequence outgrows the context; see `Sequence`. */
  contextStride: number;
}

/** Told once by every worker, on the worker's own channel to the main thread. */
export type WorkerStatus = { type: "ready"; threadId: number } | { type: "failed"; message: string };

/**
 * What the sequences that asked for it have written since the last such message, on the worker's own channel. What the outcome's text has beyond these is told by it alone, and
 * deltas of a sequence may arrive after its outcome.
 */
export interface Deltas {
  type: "deltas";
  deltas: Delta[];
}

/** A sequence's id, its new text, and how many tokens that is. */
export type Delta = [id: string, text: string, tokens: number];

/** Worker → main thread, on the worker's own channel. */
export type FromWorker = WorkerStatus | Deltas;

/** One sequence to generate, as the pool hands it to a worker. */
export interface GenerateTask {
  /** The request's id: for logs, and to tell its deltas. */
  id: string;
  /** Ids of the whole prompt, as tokenized; never empty. */
  promptIds: number[];
  /** How many tokens to generate at most; at least 1. */
  maxTokens: number;
  /** 0 is greedy. */
  temperature: number;
  /** 0 is off. */
  topK: number;
  /** Two 32-bit halves (low, high) of a 64-bit seed. */
  seed: readonly [number, number];
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

/** `length`: `maxTokens` were generated. `stop`: the end-of-sequence token or a stop string. */
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
      cachedTokens?: number;
      /** From the worker's receipt of the task to its first token, in milliseconds. */
      firstTokenMs: number;
    }
  | { type: "cancelled" }
  | { type: "failed"; message: string };
