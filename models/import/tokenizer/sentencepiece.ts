import type { Fields } from "../../files/fields.js";
import { tokenByte } from "../../tokenizer/byte-fallback.js";
import { Charsmap } from "../../tokenizer/charsmap.js";
import { bpeModel, tokenizerJson } from "../../tokenizer/tokenizer-json.js";
import { ImportError } from "../checkpoint/error.js";
import type { Converted } from "./converted.js";
import { mergesOf, TooManySteps } from "./merges.js";
import { type Piece, parseSentencePiece, type SentencePieceModel } from "./sentencepiece-model.js";

/** The character that stands for a space. */
const MARK = "\u2581";
/** What SentencePiece gives each of a user's symbols, so that nothing scores higher. */
const SYMBOL_SCORE = -0.1;

/** Whether the bytes can be a SentencePiece model: they begin with a first piece. */
export function isSentencePiece(bytes: Uint8Array): boolean {
  return bytes[0] === 0x0a && bytes.length > 4 && bytes[2] === 0x0a;
}

/**
 * A SentencePiece `.model`, of BPE or Unigram. Control pieces, such as `<s>`, are plain text to it, so they are found in
 * no text here either.
 * @throws ImportError
 */
export function convertSentencePiece(file: string, bytes: Buffer): Converted {
  const model = parseSentencePiece(file, bytes);
  assertSupported(file, model);
  const control = (id: number) => {
    const piece = model.pieces[id];
    return piece?.type === "control" ? piece.text : null;
  };
  const eos = control(model.eosId);
  return {
    kind: "sentencepiece",
    tokenizerJson: tokenizerJson({
      normalizer: normalizer(model),
      decoder: decoder(model),
      model: model.type === "bpe" ? bpe(file, model) : unigram(model),
    }),
    bos: control(model.bosId),
    eos: eos === null ? [] : [eos],
  };
}

function assertSupported(file: string, model: SentencePieceModel): void {
  const { pieces, type } = model;
  const refuse = (detail: string) => {
    throw new ImportError(file, detail);
  };
  if (type !== "bpe" && type !== "unigram")
    refuse(`expected a SentencePiece model of type bpe or unigram, got ${type}; train it as one of these`);
  if (model.spaceAfterWords)
    refuse("expected treat_whitespace_as_suffix to be off, got on, which is not supported");
  if (!model.escapeSpaces) refuse("expected escape_whitespaces to be on, got off, which is not supported");
  const unknown = pieces.filter((piece) => piece.type === "unknown").length;
  if (unknown !== 1) refuse(`expected one unknown piece in a SentencePiece model, got ${unknown}`);
  if (pieces.some((piece) => piece.type === "unused"))
    refuse("expected a SentencePiece model without unused pieces, got some, which are not supported");
  const bytes = pieces.filter((piece) => piece.type === "byte");
  const all = new Set(bytes.map(({ text }) => tokenByte(text))).size;
  if (
    bytes.length !== (model.byteFallback ? 256 : 0) ||
    all !== bytes.length ||
    bytes.some(({ text }) => tokenByte(text) === null)
  )
    refuse(`expected ${model.byteFallback ? 256 : "no"} pieces of bytes, got ${bytes.length}`);
  if (pieces.some(({ text, type }) => type === "user" && text.includes(" ")))
    refuse("expected symbols without spaces, got one with a space, which is not supported");
  // Only to check it.
  if (model.charsmap.length > 0) new Charsmap(model.charsmap);
}

/** Normalizes as SentencePiece does: replacements first, then spaces, which the model may remove at both ends and join. */
function normalizer({ charsmap, dummyPrefix, removeExtraSpaces, pieces }: SentencePieceModel): Fields {
  // A user's symbols are found before the text is normalized.
  const kept = pieces.filter(({ type }) => type === "user").map(({ text }) => text);
  const prepend: Fields[] = dummyPrefix ? [{ type: "Prepend", prepend: MARK }] : [];
  const replaced: Fields[] =
    charsmap.length === 0
      ? []
      : [{ type: "Precompiled", precompiled_charsmap: charsmap.toString("base64"), match: "longest", kept }];
  const marked = { type: "Replace", pattern: { String: " " }, content: MARK };
  const trimmed = [
    ["\\A +", ""],
    [`[ ${MARK}]+\\z`, ""],
    [" {2,}", " "],
  ].map(([Regex, content]): Fields => ({ type: "Replace", pattern: { Regex }, content }));
  return {
    type: "Sequence",
    normalizers: removeExtraSpaces
      ? [...replaced, ...trimmed, ...prepend, marked]
      : // The prefix first: it is there even if nothing is left of the text.
        [...prepend, ...replaced, marked],
  };
}

function decoder({ pieces, unknownSurface, dummyPrefix, removeExtraSpaces }: SentencePieceModel): Fields {
  const become = (text: string, content: string): Fields => ({
    type: "Replace",
    pattern: { String: text },
    content,
  });
  return {
    type: "Sequence",
    decoders: [
      ...pieces.filter(({ type }) => type === "control").map(({ text }) => become(text, "")),
      ...pieces.filter(({ type }) => type === "unknown").map(({ text }) => become(text, unknownSurface)),
      become(MARK, " "),
      { type: "ByteFallback" },
      { type: "Fuse" },
      ...(dummyPrefix || removeExtraSpaces
        ? [{ type: "Strip", content: " ", start: 1, stop: 0, jai: { mark: MARK, each: removeExtraSpaces } }]
        : []),
    ],
  };
}

const isReachable = ({ type }: Piece) => type === "normal" || type === "user";

/** Names of pieces that no text is encoded to. */
function unreachable(pieces: readonly Piece[]): string[] {
  return pieces.filter((piece) => !isReachable(piece)).map(({ text }) => text);
}

function bpe(file: string, { pieces, byteFallback }: SentencePieceModel): Fields {
  const normal = pieces.filter(({ type }) => type === "normal");
  const joined = normal.filter(({ text }) => [...text].length > 1);
  // Of two pieces with the same score, SentencePiece takes the left one. Ranked merges can't express that.
  const order = [...joined].sort((a, b) => b.score - a.score);
  const same = order.find(({ score }, i) => score === order[i - 1]?.score);
  if (same)
    throw new ImportError(
      file,
      `expected a score of its own for each piece, got ${JSON.stringify(same.text)} with another's`,
    );
  const ranks = new Map(order.map(({ text }, rank) => [text, rank]));
  const known = new Set(normal.map(({ text }) => text));
  try {
    const merges = mergesOf(ranks).filter((pair) => pair.every((part) => known.has(part)));
    const unknown = pieces.find(({ type }) => type === "unknown")!.text;
    const jai = {
      symbols: pieces.filter(({ type }) => type === "user").map(({ text }) => text),
      // A single character that is the name of a control piece is found, however.
      unreachable: [unknown],
    };
    return bpeModel(Object.fromEntries(pieces.map(({ text }, id) => [text, id])), merges, {
      unk_token: unknown,
      fuse_unk: true,
      byte_fallback: byteFallback,
      jai,
    });
  } catch (error) {
    if (!(error instanceof TooManySteps)) throw error;
    throw new ImportError(
      file,
      "expected pieces that are joined of two others, got ones far too long for that",
    );
  }
}

function unigram({ pieces, byteFallback }: SentencePieceModel): Fields {
  return {
    type: "Unigram",
    unk_id: pieces.findIndex(({ type }) => type === "unknown"),
    vocab: pieces.map(({ text, score, type }) => [text, type === "user" ? SYMBOL_SCORE : score]),
    byte_fallback: byteFallback,
    jai: { unreachable: unreachable(pieces), single_precision: true },
  };
}
