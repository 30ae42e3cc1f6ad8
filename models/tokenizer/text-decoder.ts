import { type Fields, isFields } from "../files/fields.js";
import { tokenByte } from "./byte-fallback.js";
import { steps, unsupported } from "./components.js";
import { expect } from "./vocabulary.js";

/** How tokens that are texts, or single bytes, become the text of them all. */
export interface TextDecoding {
  /** A token's text; a number is a byte of a character. */
  write(token: string): string | number;
  strip: Stripping;
}

/** What is taken away where a text begins. */
export interface Stripping {
  content: string;
  /** So often at most. */
  times: number;
  /**
   * From tokens as they are in the vocabulary, once each, as SentencePiece does: what a token decodes to may begin
   * likewise, and stays.
   */
  ofTokens: boolean;
}

/**
 * Of a `Fuse`, or a chain of `Replace`, `ByteFallback`, `Fuse` and `Strip`; null for another decoder.
 * @throws ModelError for a chain of others
 */
export function parseTextDecoding(decoder: unknown): TextDecoding | null {
  const chain = steps(decoder, "decoder", "decoders");
  if (
    chain.length === 0 ||
    (chain.length === 1 && ["ByteLevel", "Metaspace"].includes(String(chain[0]!.type)))
  )
    return null;
  const replacements: ((text: string) => string)[] = [];
  let bytes = false;
  let fused = false;
  let strip: Stripping = { content: "", times: 0, ofTokens: false };
  for (const step of chain) {
    // After that, the Rust library sees the whole text instead of tokens.
    if (fused && step.type !== "Strip") unsupported("decoder after Fuse", step.type);
    switch (step.type) {
      case "Replace":
        replacements.push(replacement(step));
        break;
      case "ByteFallback":
        bytes = true;
        break;
      case "Fuse":
        fused = true;
        break;
      case "Strip":
        expect(fused && strip.times === 0, "one Strip as the decoder's last step, after Fuse", decoder);
        strip = stripping(step);
        break;
      default:
        unsupported("decoder", step.type);
    }
  }
  /** By token, since one is written again and again. */
  const written = new Map<string, string | number>();
  const write = (token: string) => {
    let found = written.get(token);
    if (found === undefined) {
      const text = replacements.reduce((done, replace) => replace(done), token);
      found = (bytes ? tokenByte(text) : null) ?? text;
      written.set(token, found);
    }
    return found;
  };
  return { write, strip };
}

function replacement({ pattern, content }: Fields): (text: string) => string {
  const literal = isFields(pattern) ? pattern.String : pattern;
  expect(
    typeof literal === "string" && literal !== "",
    "a pattern of String for the decoder Replace",
    pattern,
  );
  expect(typeof content === "string", "a text for the decoder Replace", content);
  return (text) => text.replaceAll(literal, () => content);
}

function stripping({ content, start, stop, jai }: Fields): Stripping {
  expect(
    typeof content === "string" && [...content].length === 1,
    "one character for the decoder Strip",
    content,
  );
  expect(Number.isInteger(start) && (start as number) >= 0, "a number for start of Strip", start);
  expect(stop === 0, "0 for stop of Strip", stop);
  if (jai === undefined) return { content, times: start as number, ofTokens: false };
  const valid = isFields(jai) && typeof jai.mark === "string" && typeof jai.each === "boolean";
  expect(valid, "a mark, and whether each is stripped, in jai of Strip", jai);
  return {
    content: jai.mark as string,
    times: jai.each ? Number.POSITIVE_INFINITY : (start as number),
    ofTokens: true,
  };
}

/** The token without what is stripped of it while the text is empty. */
export function stripToken(token: string, { content, times, ofTokens }: Stripping): string {
  return ofTokens && times > 0 && token.startsWith(content) ? token.slice(content.length) : token;
}
