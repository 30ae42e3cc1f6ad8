import type { Request } from "../state/request.js";
import { type Answer, newAnswer, type Sample, type Token, type Usage } from "./answer.js";
import { ask } from "./api.js";
import { ApiError, OfflineError } from "./errors.js";
import { readEvents } from "./events.js";

/** A choice of a chunk or of a whole response, of either operation. */
interface Choice {
  index: number;
  text?: string;
  delta?: { content?: string | null };
  message?: { content?: string | null };
  logprobs?: ChatLogprobs | TextLogprobs | null;
  finish_reason?: "stop" | "length" | null;
}

interface ChatLogprobs {
  content: { token: string; logprob: number; top_logprobs: { token: string; logprob: number }[] }[] | null;
}

interface TextLogprobs {
  tokens: string[];
  token_logprobs: (number | null)[];
  top_logprobs: (Record<string, number> | null)[] | null;
}

interface Chunk {
  choices?: Choice[];
  usage?: Usage | null;
  error?: { message: string; code?: string; param?: string | null };
}

/**
 * Carries out a request, and reports the answer whenever there is more of it. Aborting the signal ends the request on
 * the server, too, and the answer so far is kept as `stopped`.
 * @throws {ApiError | OfflineError} after a report of what came before
 */
export async function generate(
  { path, body, seed, samples }: Request,
  signal: AbortSignal,
  report: (answer: Answer) => void,
): Promise<void> {
  let answer = newAnswer(samples, seed, typeof body.max_tokens === "number" ? body.max_tokens : null);
  const change = (changes: Partial<Answer>) => {
    answer = { ...answer, ...changes };
    report(answer);
  };
  report(answer);
  try {
    const response = await ask(path, { method: "POST", body, signal });
    const chunks = body.stream ? streamed(response, (queue) => change({ queue })) : whole(response);
    for await (const chunk of chunks) change(added(answer, chunk));
    change({ state: "done", endedAt: performance.now() });
  } catch (error) {
    change({ state: signal.aborted ? "stopped" : "failed", endedAt: performance.now(), queue: null });
    if (!signal.aborted) throw error instanceof TypeError ? new OfflineError() : error;
  }
}

async function* whole(response: Response): AsyncGenerator<Chunk> {
  yield (await response.json()) as Chunk;
}

async function* streamed(
  response: Response,
  onQueue: (queue: Answer["queue"]) => void,
): AsyncGenerator<Chunk> {
  let isWhole = false;
  // To the end of the stream, not only of the answer: leaving earlier would close the connection.
  for await (const { name, data } of readEvents(response)) {
    if (name === ":" && data.startsWith("queue ")) onQueue(JSON.parse(data.slice("queue ".length)));
    if (data === "[DONE]") isWhole = true;
    if (name === ":" || data === "[DONE]") continue;
    const chunk = JSON.parse(data) as Chunk;
    const { error } = chunk;
    if (error) throw new ApiError(0, error.message, error.code ?? "", error.param ?? null, null);
    yield chunk;
  }
  if (!isWhole) throw new OfflineError();
}

function added(answer: Answer, { choices = [], usage }: Chunk): Partial<Answer> {
  const samples = [...answer.samples];
  for (const choice of choices) samples[choice.index] = longer(samples[choice.index], choice);
  const begun = samples.some(
    ({ text, tokens, finish }) => text !== "" || tokens.length > 0 || finish !== null,
  );
  return {
    samples,
    usage: usage ?? answer.usage,
    ...(begun && { state: "running", queue: null, firstAt: answer.firstAt ?? performance.now() }),
  };
}

function longer(sample: Sample | undefined, choice: Choice): Sample {
  const { text, tokens, finish } = sample ?? { text: "", tokens: [], finish: null };
  const { delta, message, logprobs, finish_reason } = choice;
  return {
    text: text + (choice.text ?? delta?.content ?? message?.content ?? ""),
    tokens: logprobs ? [...tokens, ...readTokens(logprobs)] : tokens,
    finish: finish_reason ?? finish,
  };
}

function readTokens(logprobs: ChatLogprobs | TextLogprobs): Token[] {
  if ("content" in logprobs)
    return (logprobs.content ?? []).map(({ token, logprob, top_logprobs }) => ({
      piece: token,
      logprob,
      top: top_logprobs.map((one) => ({ piece: one.token, logprob: one.logprob })),
      id: null,
    }));
  return logprobs.tokens.map((piece, index) => ({
    piece,
    logprob: logprobs.token_logprobs[index] ?? null,
    top: Object.entries(logprobs.top_logprobs?.[index] ?? {})
      .map(([one, logprob]) => ({ piece: one, logprob }))
      .sort((a, b) => b.logprob - a.logprob),
    id: null,
  }));
}
