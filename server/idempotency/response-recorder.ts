import type { Response } from "express";

/** The part of a response that can be replayed. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Returns a stored value if it is an answer, else null. */
export function readAnswer(value: unknown): Answer | null {
  const { status, headers, body } = (value ?? {}) as Record<string, unknown>;
  const isAnswer =
    Number.isInteger(status) &&
    (status as number) >= 200 &&
    (status as number) < 500 &&
    typeof headers === "object" &&
    Object.values(headers ?? {}).every((one) => typeof one === "string") &&
    typeof body === "string";
  return isAnswer ? (value as Answer) : null;
}

/** Headers of one transmission, not of the answer. */
const TRANSMISSION = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "traceresponse",
  "transfer-encoding",
]);

/**
 * Passes the whole response to `whole`, and holds back its end until `whole` has settled, so that a client never has an
 * answer that isn't stored. Calls `broken` instead if the connection closes before the response ends.
 */
export function recordResponse(
  res: Response,
  { whole, broken }: { whole: (answer: Answer) => Promise<void>; broken: () => void },
): void {
  const chunks: Buffer[] = [];
  const keep = (chunk: unknown, encoding: unknown) => {
    if (typeof chunk === "string")
      chunks.push(Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8"));
    else if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  };
  const write = res.write as (...args: unknown[]) => boolean;
  const end = res.end as (...args: unknown[]) => Response;
  let ended = false;
  res.write = ((...args: unknown[]) => {
    keep(args[0], args[1]);
    return write.apply(res, args);
  }) as Response["write"];
  res.end = ((...args: unknown[]) => {
    if (ended) return res;
    ended = true;
    keep(args[0], args[1]);
    void whole({
      status: res.statusCode,
      headers: lastingHeaders(res),
      body: Buffer.concat(chunks).toString("utf8"),
    }).finally(() => {
      if (!res.destroyed) end.apply(res, args);
    });
    return res;
  }) as Response["end"];
  res.once("close", () => {
    if (!ended) broken();
  });
}

/** Headers to replay: all but those of one transmission. */
export function lastingHeaders(res: Response): Record<string, string> {
  return Object.fromEntries(
    Object.entries(res.getHeaders()).flatMap(([name, value]) =>
      value === undefined || TRANSMISSION.has(name) ? [] : [[name, String(value)]],
    ),
  );
}

/** A stream's text to replay: without queue events and heartbeats, which described the moment. */
export function lastingEvents(text: string): string {
  return text
    .split("\n\n")
    .filter((event) => !event.startsWith(":") && !event.startsWith("event: queue\n"))
    .join("\n\n");
}
