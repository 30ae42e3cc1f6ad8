import { ImportError } from "../checkpoint/error.js";
import { type FieldValue, protobufFields } from "./protobuf.js";

const PIECE_TYPES = ["", "normal", "unknown", "control", "user", "unused", "byte"] as const;
const MODEL_TYPES = ["", "unigram", "bpe", "word", "char"] as const;
const MAX_PIECES = 2 ** 20;
const MAX_PIECE_CHARS = 512;

export interface Piece {
  text: string;
  score: number;
  type: (typeof PIECE_TYPES)[number];
}

/** What a SentencePiece `.model` says about encoding and decoding; defaults are those of its schema. */
export interface SentencePieceModel {
  pieces: Piece[];
  type: (typeof MODEL_TYPES)[number];
  byteFallback: boolean;
  /** What unknown pieces decode to. */
  unknownSurface: string;
  spaceAfterWords: boolean;
  bosId: number;
  eosId: number;
  charsmap: Buffer;
  dummyPrefix: boolean;
  removeExtraSpaces: boolean;
  escapeSpaces: boolean;
}

/** @throws ImportError if it is none, or a broken one */
export function parseSentencePiece(file: string, bytes: Buffer): SentencePieceModel {
  const model: SentencePieceModel = {
    pieces: [],
    type: "unigram",
    byteFallback: false,
    unknownSurface: " \u2047 ",
    spaceAfterWords: false,
    bosId: 1,
    eosId: 2,
    charsmap: Buffer.alloc(0),
    dummyPrefix: true,
    removeExtraSpaces: true,
    escapeSpaces: true,
  };
  const seen = new Set<string>();
  for (const [field, value] of protobufFields(file, bytes)) {
    if (field === 1) {
      const piece = parsePiece(file, message(file, value, "a piece"));
      if (model.pieces.length === MAX_PIECES)
        throw new ImportError(file, `expected up to ${MAX_PIECES} pieces`);
      if (piece.text === "" || seen.has(piece.text))
        throw new ImportError(file, `expected each piece once, got ${JSON.stringify(piece.text)}`);
      seen.add(piece.text);
      model.pieces.push(piece);
    } else if (field === 2) readTrainer(file, message(file, value, "trainer_spec"), model);
    else if (field === 3) readNormalizer(file, message(file, value, "normalizer_spec"), model);
  }
  if (model.pieces.length === 0)
    throw new ImportError(file, "expected a SentencePiece model, got one without pieces");
  return model;
}

function parsePiece(file: string, bytes: Buffer): Piece {
  const piece: Piece = { text: "", score: 0, type: "normal" };
  for (const [field, value] of protobufFields(file, bytes)) {
    if (field === 1) piece.text = text(file, value);
    else if (field === 2) {
      if (typeof value === "number" || value.length !== 4)
        throw new ImportError(file, "expected a float as a piece's score");
      piece.score = value.readFloatLE();
    } else if (field === 3) piece.type = named(file, value, PIECE_TYPES, "type of a piece");
  }
  if (!Number.isFinite(piece.score)) throw new ImportError(file, "expected a finite score for each piece");
  if (piece.text.length > MAX_PIECE_CHARS)
    throw new ImportError(
      file,
      `expected pieces of up to ${MAX_PIECE_CHARS} characters, got ${piece.text.length}`,
    );
  return piece;
}

function readTrainer(file: string, bytes: Buffer, model: SentencePieceModel): void {
  for (const [field, value] of protobufFields(file, bytes)) {
    if (field === 3) model.type = named(file, value, MODEL_TYPES, "model_type");
    else if (field === 24) model.spaceAfterWords = value === 1;
    else if (field === 35) model.byteFallback = value === 1;
    else if (field === 41) model.bosId = Number(value);
    else if (field === 42) model.eosId = Number(value);
    else if (field === 44) model.unknownSurface = text(file, value);
  }
}

function readNormalizer(file: string, bytes: Buffer, model: SentencePieceModel): void {
  for (const [field, value] of protobufFields(file, bytes)) {
    if (field === 2) model.charsmap = message(file, value, "precompiled_charsmap");
    else if (field === 3) model.dummyPrefix = value === 1;
    else if (field === 4) model.removeExtraSpaces = value === 1;
    else if (field === 5) model.escapeSpaces = value === 1;
  }
}

function message(file: string, value: FieldValue, name: string): Buffer {
  if (typeof value === "number")
    throw new ImportError(file, `expected ${name} in a SentencePiece model, got a number`);
  return value;
}

function text(file: string, value: FieldValue): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(message(file, value, "a text"));
  } catch (error) {
    if (error instanceof ImportError) throw error;
    throw new ImportError(file, "expected texts in UTF-8 in a SentencePiece model");
  }
}

function named<Name extends string>(
  file: string,
  value: FieldValue,
  names: readonly Name[],
  what: string,
): Name {
  const name = typeof value === "number" ? names[value] : undefined;
  if (!name) throw new ImportError(file, `expected a known ${what} in a SentencePiece model, got ${value}`);
  return name;
}
