// Names and values of OpenTelemetry's semantic conventions for HTTP and for generative AI.
import type { IncomingHttpHeaders } from "node:http";
import type { Attributes } from "@opentelemetry/api";
import type { Asked, GenerationSummary, Summary } from "../telemetry/summary.js";
import { inputMessages, outputMessages } from "./messages.js";

const METHODS = new Set(["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]);
const LONGEST_TEXT = 256;
const PROVIDER = "jai";
/** What OpenAI's operations put before the id in their answers. */
const prefixes: Readonly<Record<string, string>> = {
  "/v1/chat/completions": "chatcmpl-",
  "/v1/completions": "cmpl-",
};

/** A request's method, if it is one of HTTP's own: names of spans come from a small set. */
export const methodOf = ({ method }: Pick<Summary, "method">) => (METHODS.has(method) ? method : "_OTHER");

/** What is known of a request when it comes. */
export function requestAttributes(summary: Summary, headers: IncomingHttpHeaders): Attributes {
  const { path } = summary;
  return {
    "http.request.method": methodOf(summary),
    "url.path": path.slice(0, LONGEST_TEXT),
    "url.scheme": "http",
    ...serverAttributes(headers.host),
  };
}

function serverAttributes(host: string | undefined): Attributes {
  if (host === undefined || !URL.canParse(`http://${host}`)) return {};
  const { hostname, port } = new URL(`http://${host}`);
  return { "server.address": hostname.slice(0, LONGEST_TEXT), "server.port": Number(port || 80) };
}

/** What became of a request or a job. */
export function endAttributes(summary: Summary, userAgent: string | undefined): Attributes {
  const { kind, id, route, caller, status, error, left, replayed } = summary;
  const errorType = error?.code ?? (left ? "cancelled" : undefined);
  return {
    ...(kind === "request" && {
      "http.response.header.x-request-id": [id],
      ...(status !== null && { "http.response.status_code": status }),
      ...(route !== null && { "http.route": route }),
      ...(userAgent !== undefined && { "user_agent.original": userAgent.slice(0, LONGEST_TEXT) }),
    }),
    ...(kind === "job" && { "jai.job.id": id }),
    ...(caller !== null && { "jai.caller": caller }),
    ...(replayed && { "jai.replayed": true }),
    ...(errorType !== undefined && { "error.type": errorType }),
  };
}

/** What a generation was asked for, and what it used. */
export function generationAttributes(
  { path, id, stream, body, receivedAt }: Summary,
  generation: GenerationSummary,
  { model, showsMessages }: { model: string; showsMessages: boolean },
): Attributes {
  const { sequences, maxTokens, priority, asked, firstTokenAt, outputs } = generation;
  const { promptTokens, completionTokens, cachedTokens } = generation;
  const finished = outputs.filter((output) => output !== undefined);
  return {
    "gen_ai.operation.name": path.includes("chat") ? "chat" : "text_completion",
    "gen_ai.provider.name": PROVIDER,
    "gen_ai.request.model": model,
    "gen_ai.response.model": model,
    "gen_ai.response.id": (prefixes[path] ?? "") + id,
    "gen_ai.request.max_tokens": maxTokens,
    ...(sequences !== 1 && { "gen_ai.request.choice.count": sequences }),
    ...(stream && { "gen_ai.request.stream": true }),
    ...(asked !== null && askedAttributes(asked)),
    "gen_ai.usage.input_tokens": promptTokens,
    "gen_ai.usage.output_tokens": completionTokens,
    "gen_ai.usage.cache_read.input_tokens": cachedTokens,
    "gen_ai.response.finish_reasons": finished.map(({ reason }) => reason),
    ...(stream &&
      firstTokenAt !== null && {
        "gen_ai.response.time_to_first_chunk": (firstTokenAt - receivedAt) / 1000,
      }),
    "jai.priority": priority,
    ...(showsMessages && {
      ...(body !== null && { "gen_ai.input.messages": inputMessages(body) }),
      "gen_ai.output.messages": outputMessages(outputs),
    }),
  };
}

function askedAttributes({ sampling, stop, form }: Asked): Attributes {
  return {
    "gen_ai.request.temperature": sampling.temperature,
    "gen_ai.request.top_p": sampling.topP,
    // 0 means off.
    ...(sampling.topK > 0 && { "gen_ai.request.top_k": sampling.topK }),
    ...(sampling.frequencyPenalty !== 0 && { "gen_ai.request.frequency_penalty": sampling.frequencyPenalty }),
    ...(sampling.presencePenalty !== 0 && { "gen_ai.request.presence_penalty": sampling.presencePenalty }),
    "gen_ai.request.seed": seedOf(sampling.seed),
    ...(stop.length > 0 && {
      "gen_ai.request.stop_sequences": stop.map((text) => text.slice(0, LONGEST_TEXT)),
    }),
    ...(form?.startsWith("json") && { "gen_ai.output.type": "json" }),
  };
}

/** The integer whose two's complement a seed's halves are. */
function seedOf([low, high]: Asked["sampling"]["seed"]): number {
  const signed = high >= 2 ** 31 ? high - 2 ** 32 : high;
  return signed * 2 ** 32 + low;
}
