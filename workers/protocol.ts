import type { MessagePort } from "node:worker_threads";
import type { SelfTestResult } from "../models/self-test.js";
import type { FinishReason, Outcome } from "./engine/outcome.js";
import type { TokenLogprob } from "./engine/sampling/logprobs.js";
import type { Sampling } from "./engine/sampling/sampling.js";
import type { GrammarSource } from "./grammar/source.js";
import type { Device } from "./onnx/session.js";

export type { Device, FinishReason, GrammarSource, Sampling, TokenLogprob };

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

/** Worker → main thread, on the task's port: exactly one, and the last message. */
export type FromSequence = Outcome;
