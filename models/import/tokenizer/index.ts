import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ModelError } from "../../files/error.js";
import { type Fields, isFields, shown } from "../../files/fields.js";
import { ImportError } from "../checkpoint/error.js";
import { convertText } from "./characters.js";
import type { ConvertedTokenizer, TokenizerKind } from "./converted.js";
import { convertPickle } from "./pickled.js";
import { convertRanks, isRanks } from "./ranks.js";
import { convertSentencePiece, isSentencePiece } from "./sentencepiece.js";
import { convertVocabMerges, PAIRS } from "./vocab-merges.js";

export type { ConvertedTokenizer, TokenizerKind };

/** Four times the largest tokenizer.json in use. */
const MAX_BYTES = 128 << 20;
const FORMATS =
  "a tokenizer.json, a SentencePiece .model, a rank file of tiktoken, vocab.json with merges.txt, encoder.json with vocab.bpe, nanochat's tokenizer.pkl, nanoGPT's meta.pkl, or the .txt that a character model was trained on";
/** What a folder may have, the most telling first. */
const NAMES = [
  "tokenizer.json",
  "tokenizer.model",
  "tokenizer.pkl",
  ...PAIRS.map(([vocab]) => vocab),
  "meta.pkl",
  "input.txt",
];

/**
 * Reads a tokenizer of any of the formats, which are told apart by what is in the file, as a tokenizer.json. `path` is a
 * file, either file of a pair, or a folder that has one of the usual names.
 * @throws ImportError, with one line that says what was expected
 */
export async function readTokenizer(path: string): Promise<ConvertedTokenizer> {
  const file = await findFile(path);
  try {
    return await convert(file, await readBounded(file));
  } catch (error) {
    // Parts of the tokenizer.json that is made are checked as that of any other, such as its table of replacements.
    if (error instanceof ModelError)
      throw new ImportError(file, error.message.replace(/^tokenizer\.json: /, ""));
    throw error;
  }
}

async function convert(file: string, bytes: Buffer): Promise<ConvertedTokenizer> {
  if (bytes[0] === 0x80) return convertPickle(file, bytes);
  if (isSentencePiece(bytes)) return convertSentencePiece(file, bytes);
  const text = decode(file, bytes);
  const plain = text.replace(/^\ufeff/, "");
  if (/^\s*\{/.test(plain)) return convertJson(file, plain);
  if (isRanks(plain)) return convertRanks(file, plain);
  const pair = PAIRS.find(([, merges]) => merges === basename(file));
  const vocab = PAIRS.map(([name]) => join(dirname(file), name)).find((name) => existsSync(name));
  if (pair !== undefined || plain.startsWith("#version")) {
    const vocabFile = pair ? join(dirname(file), pair[0]) : vocab;
    if (vocabFile === undefined || !existsSync(vocabFile))
      throw new ImportError(file, `expected ${pair?.[0] ?? "vocab.json"} beside these merges, got none`);
    const ids = parseJson(vocabFile, decode(vocabFile, await readBounded(vocabFile)));
    return convertVocabMerges(vocabFile, ids, file, plain);
  }
  // Any text at all could be one that a model was trained on, so here the name has a say.
  if (/\.txt$/i.test(file)) return convertText(file, text);
  throw new ImportError(file, `expected ${FORMATS}, got another text`);
}

async function convertJson(file: string, text: string): Promise<ConvertedTokenizer> {
  const json = parseJson(file, text);
  if (isFields(json.model)) return { kind: "tokenizer.json", tokenizerJson: json, bos: null, eos: [] };
  const named = PAIRS.find(([vocab]) => vocab === basename(file))?.[1];
  const merges = [...(named ? [named] : []), ...PAIRS.map(([, name]) => name)]
    .map((name) => join(dirname(file), name))
    .find((name) => existsSync(name));
  if (!Object.values(json).every((id) => typeof id === "number"))
    throw new ImportError(file, `expected ${FORMATS}, got other JSON`);
  if (merges === undefined)
    throw new ImportError(file, "expected merges.txt or vocab.bpe beside this vocabulary, got neither");
  return convertVocabMerges(file, json, merges, decode(merges, await readBounded(merges)));
}

async function findFile(path: string): Promise<string> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new ImportError(path, `expected ${FORMATS}, got ${error.code}`);
  });
  if (!found.isDirectory()) return path;
  const file = NAMES.map((name) => join(path, name)).find((name) => existsSync(name));
  if (file === undefined)
    throw new ImportError(path, `expected a folder with ${NAMES.join(", ")}, got none of these`);
  return file;
}

async function readBounded(file: string): Promise<Buffer> {
  try {
    const found = await stat(file);
    if (!found.isFile()) throw new ImportError(file, "expected a file, got something else");
    if (found.size > MAX_BYTES)
      throw new ImportError(
        file,
        `expected a tokenizer of up to ${MAX_BYTES >> 20} MiB, got ${Math.ceil(found.size / 2 ** 20)} MiB`,
      );
    return await readFile(file);
  } catch (error) {
    if (error instanceof ImportError) throw error;
    throw new ImportError(
      file,
      `expected a readable tokenizer, got ${(error as NodeJS.ErrnoException).code}`,
    );
  }
}

function decode(file: string, bytes: Buffer): string {
  try {
    // A byte order mark is a character like any other where a text gives the characters.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ImportError(file, `expected ${FORMATS}, got something else`);
  }
}

function parseJson(file: string, text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch {
    throw new ImportError(file, "expected JSON, got something else");
  }
  if (!isFields(value)) throw new ImportError(file, `expected a JSON object, got ${shown(value)}`);
  return value;
}
