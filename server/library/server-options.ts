import type { Log } from "./log.js";

/** The settings of `jai serve` in camel case, with the same defaults. `docs/operations.md` explains them. */
export interface ServerOptions {
  /** The model folder to serve. Default: the package's own model. */
  model?: string | undefined;
  /** The address to listen on. Default 127.0.0.1. */
  host?: string | undefined;
  /** The port to listen on; 0 takes any free one. Default 8000. */
  port?: number | undefined;
  /** Where the model runs. Default `auto`. */
  device?: "auto" | "cpu" | "cuda" | "webgpu" | undefined;
  /** Worker threads, on a CPU with one copy of the weights for all. Default `auto`. */
  workers?: number | "auto" | undefined;
  /** Requests generated at once, over all workers. Default `auto`. */
  concurrency?: number | "auto" | undefined;
  /** Native threads of each worker. Default `auto`. */
  threads?: number | "auto" | undefined;
  /** Memory of the whole process, your program included, in bytes; beyond it workers are replaced. Default `auto`. */
  memoryBytes?: number | "auto" | undefined;
  /** Requests that may wait for a free slot; beyond it 503. Default 256. */
  queueLimit?: number | undefined;
  /** How many of the waiting requests may be of one caller; beyond it 429. Default `auto`. */
  queueLimitCaller?: number | "auto" | undefined;
  /** Prompt tokens of requests that have not started; beyond it 503. Default `auto`. */
  queueTokens?: number | "auto" | undefined;
  /** Seconds that a request may wait for a slot; beyond it 504. Default 0, no limit. */
  timeoutQueue?: number | undefined;
  /** Seconds until a request's first token; beyond it 504. Default 0, no limit. */
  timeoutFirstToken?: number | undefined;
  /** Seconds from one token to the next; beyond it 504. Default 0, no limit. */
  timeoutStall?: number | undefined;
  /** Seconds until a request is answered; beyond it 504. Default 0, no limit. */
  timeoutTotal?: number | undefined;
  /** The largest `max_tokens` of a request. Default 4096. */
  maxTokens?: number | undefined;
  /** The longest prompt, in characters. Default 32768. */
  maxPromptChars?: number | undefined;
  /** The largest request body, in bytes. Default 1 MiB. */
  maxBodyBytes?: number | undefined;
  /** Tokens by which the window slides past the model's context. Default `auto`, a quarter of it. */
  contextStride?: number | "auto" | undefined;
  /** Whether tokens are drafted from earlier texts of the same API key, where that is faster. Default `auto`. */
  speculation?: "auto" | "off" | undefined;
  /** The folder for jobs and answers, used by this server only. Default `auto`, in the user's state directory. */
  dataDir?: string | undefined;
  /**
   * The most bytes of jobs and stored responses; beyond it 507. With several keys, one may have half; beyond that 429.
   * Default 1 GiB.
   */
  dataBytes?: number | undefined;
  /** Jobs that may wait; beyond it 503. With several keys, one may have half of them; beyond that 429. Default 10000. */
  jobLimit?: number | undefined;
  /** How long an ended job or the answer to an Idempotency-Key is kept, in seconds. Default one day. */
  jobTtl?: number | undefined;
  /** The secret that signs callbacks, `whsec_…` of Standard Webhooks. Default `none`: no callbacks. */
  callbackSecret?: string | undefined;
  /** Whether callbacks may go to private addresses. Default `refuse`. */
  callbackPrivate?: "refuse" | "allow" | undefined;
  /** How long `close` waits for admitted requests, in seconds. Default 30. */
  drainSeconds?: number | undefined;
  /** API keys, `KEY` or `NAME=KEY`. Default `none`: everybody may call. */
  apiKeys?: string | readonly string[] | undefined;
  /** A JSON file of keys and limits in place of `apiKeys`, read again when it changes. Default `none`. */
  apiKeysFile?: string | undefined;
  /** Host names that a server without keys answers to, beside its own; `*` means all. Default `none`. */
  allowedHosts?: string | readonly string[] | undefined;
  /** Origins whose pages may call the server; `*` means all. Default `none`. */
  corsOrigins?: string | readonly string[] | undefined;
  /** Who may read `/metrics`: any key (everybody if none are set), everybody, or nobody. Default `keys`. */
  metrics?: "keys" | "public" | "off" | undefined;
  /** A port of its own for `/metrics`, without keys and with callers' names; 0 takes any free one. Default `none`. */
  metricsPort?: number | "none" | undefined;
  /** Names of the metrics that vLLM has too: `jai_…`, `vllm:…` or both. Default `jai`. */
  metricsNames?: "jai" | "vllm" | "both" | undefined;
  /** Gets the server's log lines. Default none; `console` works. */
  log?: Log | undefined;
  /** Whether lines of the log quote prompts, their first 50 characters. Default `on`. */
  logPrompts?: "on" | "off" | undefined;
}
