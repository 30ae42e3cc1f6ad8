/** A token as the model chose it. */
export interface Token {
  piece: string;
  /** Natural logarithm of its probability; null for the first token of a prompt. */
  logprob: number | null;
  /** The most likely tokens at its place. */
  top: { piece: string; logprob: number }[];
  /** Null where the API does not tell it. */
  id: number | null;
}

export interface Sample {
  text: string;
  tokens: Token[];
  finish: "stop" | "length" | null;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_tokens_details?: { cached_tokens: number };
}

/** One or several outputs of one request, as far as they have come. */
export interface Answer {
  samples: Sample[];
  state: "waiting" | "running" | "done" | "stopped" | "failed";
  /** While it waits: its place in the queue, and the expected seconds. */
  queue: { position: number; expected_wait: number } | null;
  usage: Usage | null;
  seed: number;
  /** The `max_tokens` that was sent; null: as many as the server gives. */
  maxTokens: number | null;
  /** Milliseconds since the page loaded. */
  sentAt: number;
  firstAt: number | null;
  endedAt: number | null;
}

export const emptySample = (): Sample => ({ text: "", tokens: [], finish: null });

export function newAnswer(samples: number, seed: number, maxTokens: number | null = null): Answer {
  return {
    samples: Array.from({ length: samples }, emptySample),
    state: "waiting",
    queue: null,
    usage: null,
    seed,
    maxTokens,
    sentAt: performance.now(),
    firstAt: null,
    endedAt: null,
  };
}

/**
 * What cut the samples that are cut: all of them are of the same length.
 * @param context the model's, in tokens
 * @returns null if the answer does not tell
 */
export function cutOf(
  { samples, usage, maxTokens }: Answer,
  context: number,
): "context" | "max_tokens" | null {
  if (usage === null) return null;
  const areAllCut = samples.every(({ finish }) => finish === "length");
  const length = maxTokens ?? (areAllCut ? usage.completion_tokens / samples.length : null);
  if (length === null) return null;
  return usage.prompt_tokens + length >= context ? "context" : "max_tokens";
}

/** Milliseconds from sending to the first token, and tokens a second after it, of all samples together. */
export function paceOf({ sentAt, firstAt, endedAt, usage, samples }: Answer) {
  if (firstAt === null) return null;
  const tokens = usage && usage.completion_tokens - samples.length;
  const seconds = endedAt === null ? 0 : (endedAt - firstAt) / 1000;
  return {
    ttft: firstAt - sentAt,
    rate: tokens !== null && tokens > 0 && seconds > 0 ? tokens / seconds : null,
  };
}
