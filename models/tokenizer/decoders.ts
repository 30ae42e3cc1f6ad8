import { ModelError } from "../errors.js";
import { type Fields, isFields, shown } from "../fields.js";
import { tokenBytes } from "./byte-level.js";
import { requireText } from "./normalizers.js";
import { compilePattern } from "./patterns.js";

/** Turns tokens into pieces of text. */
type Step = (tokens: readonly string[]) => string[];

export type Decoder = (tokens: readonly string[]) => string;

/** @throws ModelError if a component is unknown or malformed */
export function compileDecoder(json: unknown): Decoder {
  // Without a decoder nothing says where words end, so every token is one.
  if (json === null || json === undefined) return (tokens) => tokens.join(" ");
  const step = compileStep(json);
  return (tokens) => step(tokens).join("");
}

function compileStep(json: unknown): Step {
  if (!isFields(json)) throw new ModelError(`tokenizer.json: expected a decoder or null, got ${shown(json)}`);
  switch (json.type) {
    case "ByteLevel":
      return byteLevel();
    case "Fuse":
      return (tokens) => [tokens.join("")];
    case "ByteFallback":
      return byteFallback;
    case "Metaspace":
      return metaspace(json);
    case "BPEDecoder": {
      const suffix = requireText(json, "suffix");
      return (tokens) =>
        tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? "" : " "));
    }
    case "Replace": {
      const pattern = compilePattern(json.pattern);
      const content = requireText(json, "content");
      return (tokens) => tokens.map((token) => token.replace(pattern, () => content));
    }
    case "Strip":
      return strip(json);
    case "Sequence": {
      if (!Array.isArray(json.decoders))
        throw new ModelError(`tokenizer.json: expected a list of decoders, got ${shown(json.decoders)}`);
      const steps = json.decoders.map(compileStep);
      return (tokens) => steps.reduce((so, step) => step(so), [...tokens]);
    }
    default:
      throw new ModelError(`tokenizer.json: expected a supported decoder, got ${shown(json.type)}`);
  }
}

function byteLevel(): Step {
  const known = new Map<string, Uint8Array>();
  return (tokens) => {
    const bytes = tokens.map((token) => {
      const found = known.get(token) ?? tokenBytes(token);
      known.set(token, found);
      return found;
    });
    return [Buffer.concat(bytes).toString()];
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Joins runs of `<0xE2>` and the like into characters; a run that is no UTF-8 becomes one U+FFFD for each byte. */
function byteFallback(tokens: readonly string[]): string[] {
  const pieces: string[] = [];
  let run: number[] = [];
  const flush = () => {
    if (run.length === 0) return;
    try {
      pieces.push(utf8.decode(Uint8Array.from(run)));
    } catch {
      pieces.push(...run.map(() => "\ufffd"));
    }
    run = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9a-f]{2})>$/i.exec(token)?.[1];
    if (byte !== undefined) run.push(Number.parseInt(byte, 16));
    else {
      flush();
      pieces.push(token);
    }
  }
  flush();
  return pieces;
}

function metaspace(json: Fields): Step {
  const mark = requireText(json, "replacement");
  const prepended =
    (json.prepend_scheme ?? (json.add_prefix_space === false ? "never" : "always")) !== "never";
  return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 && prepended ? "" : " "));
}

function strip(json: Fields): Step {
  const content = requireText(json, "content");
  const { start, stop } = json;
  if (typeof start !== "number" || typeof stop !== "number" || Array.from(content).length !== 1)
    throw new ModelError(`tokenizer.json: expected a Strip decoder of one character, got ${shown(json)}`);
  return (tokens) =>
    tokens.map((token) => {
      let from = 0;
      let to = token.length;
      for (let i = 0; i < start && token.startsWith(content, from); i++) from += content.length;
      for (let i = 0; i < stop && to - content.length >= from && token.endsWith(content, to); i++)
        to -= content.length;
      return token.slice(from, to);
    });
}
