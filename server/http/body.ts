import { isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { RequestHandler } from "express";
import { type ErrorCode, invalidBody, PublicError } from "../errors/errors.js";
import { jsonErrorAt } from "../json-error.js";
import { Turns } from "../turns.js";
import type { BodyBudget } from "./body-budget.js";
import { hasTooManyParts, MOST_PARTS } from "./json-parts.js";

const decoder = new TextDecoder();

/**
 * Reads a JSON body into `req.body`. A request without one is refused, since every POST takes one. A refusal is sent at
 * once, before the rest of the body arrives (express.json waits for the end, which may be a gigabyte away).
 * @param typed refuses a body without Content-Type: any page may send one (a Blob without a type) across sites
 */
export function readBody(
  maxBodyBytes: number,
  { typed, budget }: { typed: boolean; budget: BodyBudget },
): RequestHandler {
  // Parsing and validating large bodies takes tens of milliseconds each, and many may end at once.
  const turns = new Turns();
  return (req, res, next) => {
    // An empty body needs no Content-Type, so this check comes first.
    if (!hasBody(req.headers)) throw noBody();
    const refusal = refuse(req.headers, maxBodyBytes, typed);
    if (refusal !== null) throw new PublicError(refusal);
    // One spelling only: the validator compiles the schema again for each new one, and never frees it.
    req.headers["content-type"] = "application/json";
    let chunks: Buffer[] = [];
    let size = 0;
    let ended = false;
    const end = (error?: PublicError) => {
      if (ended) return;
      ended = true;
      chunks = [];
      if (error !== undefined) share.release();
      next(error);
    };
    const overloaded = () => end(new PublicError("overloaded", { retryAfter: 1 }));
    const share = budget.open(overloaded);
    res.once("close", () => share.release());
    // After a refusal the rest is still read, and dropped: many clients read no answer before they have sent all.
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBodyBytes) end(new PublicError("body_too_large"));
      else if (!ended && share.take(chunk.length)) chunks.push(chunk);
      else if (!ended) overloaded();
    });
    req.on("error", () => end(new PublicError("unreadable_body")));
    req.on("end", () => {
      if (ended) return;
      share.arrived();
      const finish = () => {
        const { body, error } = parse(chunks);
        req.body = body;
        end(error);
      };
      if (size < LARGE) finish();
      else void turns.take(finish);
    });
  };
}

/** Bodies below this size take well under a millisecond. */
const LARGE = 8192;

function parse(chunks: readonly Buffer[]): { body?: unknown; error?: PublicError } {
  if (chunks.length === 0) return { error: noBody() };
  const bytes = Buffer.concat(chunks);
  if (!isUtf8(bytes)) return { error: new PublicError("unreadable_body") };
  if (hasTooManyParts(bytes)) return { error: tooManyParts() };
  const text = decoder.decode(bytes);
  try {
    return { body: JSON.parse(text) };
  } catch {
    return { error: invalidJson(text) };
  }
}

/** Whether the headers announce a body. A chunked one may still turn out empty. */
function hasBody({ "content-length": length, "transfer-encoding": encoding }: IncomingHttpHeaders): boolean {
  return encoding !== undefined || Number(length ?? 0) > 0;
}

function noBody(): PublicError {
  return invalidBody({ loc: ["body"], msg: "Field required", type: "missing" });
}

/** The error if the headers alone rule the body out; else null. */
function refuse(headers: IncomingHttpHeaders, maxBodyBytes: number, typed: boolean): ErrorCode | null {
  const { "content-type": type, "content-encoding": encoding, "content-length": length } = headers;
  if (type === undefined && typed) return "unsupported_media_type";
  if (type !== undefined) {
    const [name, ...parameters] = type.toLowerCase().split(";");
    if (!/^application\/([\w.+-]+\+)?json$/.test(name!.trim())) return "unsupported_media_type";
    const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith("charset="));
    if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) return "unsupported_charset";
  }
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") return "unsupported_encoding";
  return Number(length ?? 0) > maxBodyBytes ? "body_too_large" : null;
}

function tooManyParts(): PublicError {
  const msg = `Value error, expected at most ${MOST_PARTS} objects and lists`;
  return invalidBody({ loc: ["body"], msg, type: "value_error" });
}

function invalidJson(text: string): PublicError {
  const at = jsonErrorAt(text);
  const error = at === text.length ? "Unexpected end of the text" : "Unexpected token";
  return invalidBody({ loc: ["body", at], msg: "JSON decode error", type: "json_invalid", ctx: { error } });
}
