import { type GenerationSummary, meanItl, queueMs, type Summary } from "./summary.js";

/**
 * One line about a request that ended: `POST /generate: 200, 12 + 40 tokens, length, queued 0 ms, first token after 9 ms,
 * 2.1 ms a token, ran 91 ms: the prompt's first words`.
 */
export function endedLine(summary: Summary): string {
  const { error, left, status, replayed, generation, quote } = summary;
  const end = left && error === null ? "cancelled" : (error?.told ?? String(status));
  // A request that was refused has computed nothing.
  const isTold = generation !== null && (error === null || generation.startedAt !== null);
  const parts = [end, replayed ? "replayed" : null, isTold ? generationLine(generation) : null];
  // The quote could be taken for a part of an error's reason.
  return parts.filter((part) => part).join(", ") + (error?.stack ?? quote);
}

/** `12 + 40 tokens (8 cached), length, queued 0 ms, first token after 9 ms, 2.1 ms a token, ran 91 ms` */
export function generationLine(generation: GenerationSummary): string {
  const { promptTokens, completionTokens, cachedTokens, reasons, startedAt, firstTokenAt, endedAt } =
    generation;
  const times: [string, number | null][] = [
    ["queued", queueMs(generation)],
    ["first token after", between(startedAt, firstTokenAt)],
    ["ran", between(startedAt, endedAt)],
  ];
  const itl = meanItl(generation);
  const told = times.filter(([, ms]) => ms !== null).map(([what, ms]) => `${what} ${Math.round(ms!)} ms`);
  if (itl !== null) told.splice(-1, 0, `${itl.toFixed(1)} ms a token`);
  const cached = cachedTokens > 0 ? ` (${cachedTokens} cached)` : "";
  return [`${promptTokens} + ${completionTokens} tokens${cached}`, ...new Set(reasons), ...told].join(", ");
}

/** The same facts, for the log's JSON format. */
export function endedFields(summary: Summary): Record<string, unknown> {
  const { id, method, path, caller, status, left, error, replayed, stream, generation, traceId } = summary;
  return {
    id,
    method,
    path,
    ...(caller !== null && { caller }),
    status,
    ...(left && { cancelled: true }),
    ...(error !== null && { code: error.code }),
    ...(replayed && { replayed }),
    total_ms: round(summary.endedAt - summary.receivedAt),
    ...(generation !== null && { stream, ...generationFields(generation, summary.endedAt) }),
    ...(traceId !== null && { trace_id: traceId }),
  };
}

function generationFields(generation: GenerationSummary, answeredAt: number): Record<string, unknown> {
  const { sequences, promptTokens, cachedTokens, completionTokens, reasons } = generation;
  const { draftedTokens, acceptedTokens } = generation;
  const { reservedAt, preparedAt, startedAt, firstTokenAt, endedAt } = generation;
  return {
    n: sequences,
    prompt_tokens: promptTokens,
    cached_tokens: cachedTokens,
    tokens: completionTokens,
    drafted_tokens: draftedTokens,
    accepted_tokens: acceptedTokens,
    finish_reason: [...new Set(reasons)].join(", "),
    prepare_ms: round(between(reservedAt, preparedAt)),
    queue_ms: round(queueMs(generation)),
    first_token_ms: round(between(startedAt, firstTokenAt)),
    itl_ms: round(meanItl(generation)),
    run_ms: round(between(startedAt, endedAt)),
    // The last sequence of a cancelled or late request may leave its slot after the answer's end.
    deliver_ms: round(endedAt === null ? null : Math.max(0, answeredAt - endedAt)),
  };
}

const between = (from: number | null, to: number | null) => (from === null || to === null ? null : to - from);
/** To a tenth of a millisecond. */
const round = (ms: number | null) => (ms === null ? null : Math.round(ms * 10) / 10);
