import { fromSymbols } from "./byte-alphabet.js";
import { parseMetaspace, steps, unsupported } from "./components.js";
import { parseTextDecoding, stripToken, type TextDecoding } from "./text-decoder.js";
import { TextDetokenizer } from "./text-detokenizer.js";

/** Turns ids into text one at a time. What `push` and `end` return, joined, is the text of all ids. */
export interface Detokenizer {
  /** The text that this id makes certain. It never ends in a part of a character. */
  push(id: number): string;
  /** The text of an incomplete last character. */
  end(): string;
}

/** A token's own text. */
export interface TokenBytes {
  /** Its UTF-8, which may end or begin in a character; null for a token that is no text. */
  bytes: Uint8Array | null;
  /** The same as text; null if it isn't whole characters. For a token that is no text, its name. */
  text: string | null;
}

/** Writes a token as text. The first token of a text may be written differently. */
type Write = (token: string, first: boolean) => string;

/**
 * Makes detokenizers, as the `decoder` of tokenizer.json says; ids without a token have no text.
 * @throws ModelError for a decoder that is unknown
 */
export function prepareDetokenizer(
  decoder: unknown,
  tokens: readonly (string | undefined)[],
): () => Detokenizer {
  const decoding = parseTextDecoding(decoder);
  if (decoding !== null) return () => new TextDetokenizer(tokens, decoding);
  const write = wordWriter(decoder);
  if (write !== null) return () => new WordDetokenizer(tokens, write);
  const pieces: Piece[] = [];
  const piece = (id: number) => {
    const token = tokens[id];
    if (token === undefined) return nothing;
    pieces[id] ??= readBytes(token);
    return pieces[id];
  };
  return () => new ByteDetokenizer(piece);
}

/**
 * Gives a token's own text, as the first of a text or a later one. `names` also has the tokens that are no text.
 * @throws ModelError for a decoder that is unknown
 */
export function prepareTokenBytes(
  decoder: unknown,
  tokens: readonly (string | undefined)[],
  names: readonly (string | undefined)[],
): (id: number, first: boolean) => TokenBytes {
  const decoding = parseTextDecoding(decoder);
  const write = decoding === null ? wordWriter(decoder) : null;
  return (id, first) => {
    const token = tokens[id];
    if (token === undefined) return { bytes: null, text: names[id] ?? "" };
    if (decoding !== null) return textBytes(token, first, decoding);
    if (write === null) return readBytes(token);
    const text = write(token, first);
    return { bytes: encoder.encode(text), text };
  };
}

function textBytes(token: string, first: boolean, { write, strip }: TextDecoding): TokenBytes {
  const written = write(first ? stripToken(token, strip) : token);
  if (typeof written === "number")
    return { bytes: Uint8Array.of(written), text: written < 0x80 ? String.fromCharCode(written) : null };
  let text = written;
  for (
    let left = first && !strip.ofTokens ? strip.times : 0;
    left > 0 && text.startsWith(strip.content);
    left--
  )
    text = text.slice(strip.content.length);
  return { bytes: encoder.encode(text), text };
}

/**
 * The writer of a decoder whose tokens are texts; null if they are bytes. @throws ModelError for a decoder that is
 * unknown
 */
function wordWriter(decoder: unknown): Write | null {
  // Without a decoder nothing says where words end, so every token counts as a word.
  const [step] = steps(decoder, "decoder", "decoders");
  if (step === undefined) return (token, first) => (first ? token : ` ${token}`);
  if (step.type === "ByteLevel") return null;
  if (step.type !== "Metaspace") return unsupported("decoder", step.type);
  const { mark, prepended } = parseMetaspace(step);
  return (token, first) => token.replaceAll(mark, first && prepended ? "" : " ");
}

/** For tokens that are texts. */
class WordDetokenizer implements Detokenizer {
  readonly #tokens: readonly (string | undefined)[];
  readonly #write: Write;
  #first = true;

  constructor(tokens: readonly (string | undefined)[], write: Write) {
    this.#tokens = tokens;
    this.#write = write;
  }

  push(id: number): string {
    const token = this.#tokens[id];
    if (token === undefined) return "";
    const text = this.#write(token, this.#first);
    this.#first = false;
    return text;
  }

  end(): string {
    return "";
  }
}

/** A token's bytes, and their text if they are whole characters. */
interface Piece {
  bytes: Uint8Array;
  text: string | null;
}

const nothing: Piece = { bytes: new Uint8Array(), text: "" };
const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** For tokens that are bytes of UTF-8. */
class ByteDetokenizer implements Detokenizer {
  readonly #piece: (id: number) => Piece;
  /** Bytes of a character that is not complete yet. */
  #open: Uint8Array = nothing.bytes;

  constructor(piece: (id: number) => Piece) {
    this.#piece = piece;
  }

  push(id: number): string {
    const { bytes, text } = this.#piece(id);
    if (bytes.length === 0) return "";
    if (text !== null && this.#open.length === 0) return text;
    const all = new Uint8Array(this.#open.length + bytes.length);
    all.set(this.#open);
    all.set(bytes, this.#open.length);
    const end = wholeLength(all);
    this.#open = all.subarray(end);
    return utf8.decode(all.subarray(0, end));
  }

  end(): string {
    return utf8.decode(this.#open);
  }
}

/**
 * Length of the bytes without an incomplete last character. A byte that can begin a character ends what came before
 * it, so both sides of the cut can be decoded apart.
 */
function wholeLength(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return back < length ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function readBytes(token: string): Piece {
  // Added tokens may hold characters that stand for no byte, and are text then.
  const bytes = fromSymbols(token) ?? encoder.encode(token);
  try {
    return { bytes, text: strictUtf8.decode(bytes) };
  } catch {
    return { bytes, text: null };
  }
}
