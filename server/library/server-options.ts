import type { Log } from "./log.js";

/** The settings of `jai serve` in camel case, with the same defaults; `docs/operations.md` says more of each. */
export interface ServerOptions {
  /** The model folder to serve. Default the one that comes with the package. */
  model?: string | undefined;
  /** The address to listen on. Default 127.0.0.1. */
  host?: string | undefined;
  /** The port to listen on; 0 takes any free one. Default 8000. */
  port?: number | undefined;
  /** Where the model runs. Default `auto`. */
  device?: "auto" | "cpu" | "cuda" | "webgpu" | undefined;
  /** Worker threads, each with a copy of the model. Default `auto`. */
  workers?: number | "auto" | undefined;
  /** Requests generated at once, over all workers. Default `auto`. */
  concurrency?: number | "auto" | undefined;
  /** Native threads of each worker. Default `auto`. */
  threads?: number | "auto" | undefined;
  /** Requests that may wait for a free slot; beyond it 503. Default 256. */
  queueLimit?: number | undefined;
  /** How many of them may be one caller's; beyond it 429. Default `auto`. */
  queueLimitCaller?: number | "auto" | undefined;
  /** Prompt tokens of requests that have not started; beyond it 503. Default `auto`. */
  queueTokens?: number | "auto" | undefined;
  /** Seconds that a request may wait for a slot; beyond it 504. Default 0, any time. */
  timeoutQueue?: number | undefined;
  /** Seconds until a request's first token; beyond it 504. Default 0, any time. */
  timeoutFirstToken?: number | undefined;
  /** Seconds from one token to the next; beyond it 504. Default 0, any time. */
  timeoutStall?: number | undefined;
  /** Seconds until a request is answered; beyond it 504. Default 0, any time. */
  timeoutTotal?: number | undefined;
  /** The most that a request may ask for as `max_tokens`. Default 4096. */
  maxTokens?: number | undefined;
  /** The longest prompt, in characters. Default 32768. */
  maxPromptChars?: number | undefined;
  /** The largest request body, in bytes. Default 1 MiB. */
  maxBodyBytes?: number | undefined;
  /** Tokens by which the window slides past the model's context. Default `auto`, a quarter of it. */
  contextStride?: number | "auto" | undefined;
  /** The folder where jobs and answers are kept; of this server alone. Default `auto`, in the user's state directory. */
  dataDir?: string | undefined;
  /** How much is kept there, in bytes; beyond it 507. Default 1 GiB. */
  dataBytes?: number | undefined;
  /** Jobs that may wait; beyond it 503. Default 10000. */
  jobLimit?: number | undefined;
  /** Seconds for which an ended job, or the answer to an Idempotency-Key, is kept. Default a day. */
  jobTtl?: number | undefined;
  /** Signs callbacks, Standard Webhooks' `whsec_…`. Default `none`, and no callbacks. */
  callbackSecret?: string | undefined;
  /** Whether callbacks may go to addresses that are not public. Default `refuse`. */
  callbackPrivate?: "refuse" | "allow" | undefined;
  /** How many seconds `close` waits for requests under way. Default 30. */
  drainSeconds?: number | undefined;
  /** API keys, `KEY` or `NAME=KEY`. Default `none`, and everybody may call. */
  apiKeys?: string | readonly string[] | undefined;
  /** Instead a JSON file of keys and their limits, read again when it changes. Default `none`. */
  apiKeysFile?: string | undefined;
  /** Origins whose pages may call; `*` is all. Default `none`. */
  corsOrigins?: string | readonly string[] | undefined;
  /** Hears what the server does, a line at a time. Default nobody; `console` is one. */
  log?: Log | undefined;
}
