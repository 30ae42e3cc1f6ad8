import type { Response } from "express";

/** An answer, as far as it can be given again. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Of one transmission, not of the answer. */
const TRANSMISSION = new Set(["connection", "content-length", "date", "keep-alive", "transfer-encoding"]);

/**
 * Holds the end of a response back until `whole` has settled, which gets all of it; a client so never has an answer that
 * could be lost. `broken` is called instead when the connection closes before there is an end.
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

/** Headers that belong to the answer, whoever gets it. */
export function lastingHeaders(res: Response): Record<string, string> {
  return Object.fromEntries(
    Object.entries(res.getHeaders()).flatMap(([name, value]) =>
      value === undefined || TRANSMISSION.has(name) ? [] : [[name, String(value)]],
    ),
  );
}

/** A stream as it is given again: without what was of the moment, waiting and heartbeats. */
export function lastingEvents(text: string): string {
  return text
    .split("\n\n")
    .filter((event) => !event.startsWith(":") && !event.startsWith("event: queue\n"))
    .join("\n\n");
}
