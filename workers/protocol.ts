import type { MessagePort } from "node:worker_threads";
import type { Message } from "../models/chat-template.js";
import type { SelfTestResult } from "../models/self-test.js";
import type { FinishReason, Outcome } from "./engine/outcome.js";
import type { TokenLogprob } from "./engine/sampling/logprobs.js";
import type { Sampling } from "./engine/sampling/sampling.js";
import type { Gauges } from "./gauges.js";
import type { CompiledForm, FormNumbers } from "./grammar/compiled.js";
import type { GrammarSource } from "./grammar/source.js";
import type { Device } from "./onnx/session.js";

export type { CompiledForm, Device, FinishReason, GrammarSource, Sampling, TokenLogprob };

/** Setup of a worker thread; the same for every worker of the pool. */
export interface WorkerSetup {
  /** Absolute path of the model folder. */
  modelDir: string;
  /** A copy of its graph that `prepareGraph` wrote; null if there is none. */
  prepared: string | null;
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
  /** The shared memory of a `Progress`, likewise. */
  progress: SharedArrayBuffer;
  /** The shared memory of the `Gauges`, likewise. */
  gauges: Gauges["buffers"];
  /** Sequences that one worker runs at once. */
  slots: number;
  /** Prefixes that one worker keeps beside them. */
  keptPrefixes: number;
  /** Threads of the native runtime in each worker. */
  threads: number;
  /**
   * Threads of the first worker's second session, used while it is the only busy worker. If not above `threads`, there
   * is no second session.
   */
  threadsAlone: number;
  /** How far the window slides when a sequence outgrows the context; see `Sequence`. */
  contextStride: number;
  /** Whether tokens are drafted from a caller's earlier texts. */
  speculation: boolean;
}

/** Sent once by every worker, on the worker's own channel to the main thread. */
export type WorkerStatus =
  /** `remark`: something that is not as planned, for the log. */
  | { type: "ready"; threadId: number; selfTest: SelfTestResult; remark?: string | undefined }
  | { type: "failed"; threadId: number; message: string };

/**
 * New text of the sequences that stream, on the worker's own channel. The end of a text may come in the outcome alone,
 * which has all of it, and deltas may arrive after the outcome.
 */
export interface Deltas {
  type: "deltas";
  deltas: Delta[];
}

/** A sequence's id, its new text, the number of its tokens and, if asked for, their log-probabilities. */
export type Delta = [id: string, text: string, tokens: number, logprobs?: TokenLogprob[]];

/**
 * A sequence's prompt has been read and its first token drawn. Sent on the worker's own channel, unless that token
 * ends the sequence.
 */
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
  /** Most tokens to generate. 0 only reads the prompt, for its `promptLogprobs`. */
  maxTokens: number;
  /** Until there are this many, neither the end-of-sequence token nor a stop string ends the sequence; 0 is off. */
  minTokens: number;
  sampling: Sampling;
  /**
   * How many of the likeliest tokens to report beside each token's log-probability; null: no log-probabilities at all.
   */
  logprobs: number | null;
  /**
   * Whether to report the log-probability of each token of the prompt, which is then computed in full, without the
   * cache.
   */
  promptLogprobs: boolean;
  /** null: any text. */
  grammar: CompiledForm | null;
  /** Text that ends the generation and is not part of it. */
  stop: string[];
  /** Who asked, as the queue has it: only their texts' rows are continued from, and only their texts are drafted from. */
  caller?: string;
  /** Whether to go on past the end-of-sequence token. */
  ignoreEos: boolean;
  /** Whether to send its text as it comes, in `Deltas`. */
  stream: boolean;
  /** Carries `ToSequence` in and `FromSequence` out; transferred with the task. */
  port: MessagePort;
}

/** Main thread → worker, on the task's port. */
export type ToSequence = { type: "cancel" };

/** Worker → main thread, on the task's port: exactly one, and the last message. */
export type FromSequence = Outcome;

/** Setup of a thread that serves a model folder's texts: the compiler of forms, and the reader of texts. */
export interface TextThreadSetup {
  /** Absolute path of the model folder. */
  modelDir: string;
}

/** Main thread → compiler: the next form. Another follows when this one is answered. */
export type ToCompiler = GrammarSource;

/** Compiler → main thread. */
export type FromCompiler =
  /** The model is loaded, and the form's own time begins. */
  | { type: "begun" }
  | { type: "compiled"; numbers: FormNumbers }
  /** No text can be held to the form. */
  | { type: "refused"; reason: string };

/** Main thread → reader of texts: the next piece of work. Another follows when this one is answered. */
export type ToReader =
  /** Texts to tokens, each by itself; `adds`: with what the tokenizer adds. */
  | { type: "encode"; texts: readonly string[]; adds: boolean }
  /** A conversation to the model's input text, up to where the answer begins. */
  | { type: "render"; messages: readonly Message[] }
  /** Tokens to text. */
  | { type: "decode"; ids: readonly number[] }
  /** Each token's own text. */
  | { type: "spell"; ids: readonly number[] };

/** Reader of texts → main thread. */
export type FromReader =
  /** The model is loaded, and the work's own time begins. */
  | { type: "begun" }
  | { type: "encoded"; ids: Int32Array[] }
  | { type: "rendered"; text: string }
  | { type: "decoded"; text: string }
  | { type: "spelled"; texts: string[] }
  /** The chat template refuses the conversation. */
  | { type: "refused"; reason: string };
