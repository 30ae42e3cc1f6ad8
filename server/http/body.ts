import { isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { RequestHandler } from "express";
import { type ErrorCode, invalidBody, PublicError } from "../errors/errors.js";
import { jsonErrorAt } from "../json-error.js";

const decoder = new TextDecoder();

/**
 * Reads a JSON body into `req.body`. A request without one is refused, since every POST takes one. A refusal is sent at
 * once, before the rest of the body arrives (express.json waits for the end, which may be a gigabyte away).
 * @param typed refuses a body without Content-Type: any page may send one (a Blob without a type) across sites
 */
export function readBody(maxBodyBytes: number, { typed }: { typed: boolean }): RequestHandler {
  return (req, _res, next) => {
    // An empty body needs no Content-Type, so this check comes first.
    if (!hasBody(req.headers)) throw noBody();
    const refusal = refuse(req.headers, maxBodyBytes, typed);
    if (refusal !== null) throw new PublicError(refusal);
    // One spelling only: the validator compiles the schema again for each new one, and never frees it.
    req.headers["content-type"] = "application/json";
    const chunks: Buffer[] = [];
    let size = 0;
    let ended = false;
    const end = (error?: PublicError) => {
      if (ended) return;
      ended = true;
      next(error);
    };
    // After a refusal the rest is still read, and dropped: many clients read no answer before they have sent all.
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBodyBytes) end(new PublicError("body_too_large"));
      else if (!ended) chunks.push(chunk);
    });
    req.on("error", () => end(new PublicError("unreadable_body")));
    req.on("end", () => {
      if (ended) return;
      if (size === 0) return end(noBody());
      const bytes = Buffer.concat(chunks);
      if (!isUtf8(bytes)) return end(new PublicError("unreadable_body"));
      const text = decoder.decode(bytes);
      try {
        req.body = JSON.parse(text);
      } catch {
        return end(invalidJson(text));
      }
      end();
    });
  };
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

function invalidJson(text: string): PublicError {
  const at = jsonErrorAt(text);
  const error = at === text.length ? "Unexpected end of the text" : "Unexpected token";
  return invalidBody({ loc: ["body", at], msg: "JSON decode error", type: "json_invalid", ctx: { error } });
}
