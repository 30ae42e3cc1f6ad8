import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ModelError } from "../../files/error.js";
import { type Fields, isFields, shown } from "../../files/fields.js";
import { ImportError } from "../checkpoint/error.js";
import { findTokenizer } from "../checkpoint/source-tokenizer.js";
import { convertText } from "./characters.js";
import type { Converted, ConvertedTokenizer, TokenizerKind } from "./converted.js";
import { GPT2, gpt2Tokenizer } from "./gpt2.js";
import { convertPickle } from "./pickled.js";
import { convertRanks, isRanks } from "./ranks.js";
import { convertSentencePiece, isSentencePiece } from "./sentencepiece.js";
import { convertVocabMerges, PAIRS } from "./vocab-merges.js";

export type { ConvertedTokenizer, TokenizerKind };

/** Four times the largest tokenizer.json in use. */
const MAX_BYTES = 128 << 20;
const FORMATS =
  "a tokenizer.json, a SentencePiece .model, a rank file of tiktoken, vocab.json with merges.txt, encoder.json with vocab.bpe, nanochat's tokenizer.pkl, nanoGPT's meta.pkl, or the .txt that a character model was trained on";

/**
 * Reads a tokenizer of any of the formats, and converts it to a tokenizer.json. The file's contents tell the format. `path` is
 * a file, either file of a pair, or a folder that holds a tokenizer under one of the usual names.
 * @throws ImportError, with one line that says what was expected
 */
export async function readTokenizer(path: string): Promise<ConvertedTokenizer> {
  if (path === GPT2 && !existsSync(path)) return withText(await gpt2Tokenizer());
  const file = await findFile(path);
  try {
    return withText(await convert(file, await readBounded(file)));
  } catch (error) {
    // The tokenizer.json that is made is checked like any other, so the error names that file instead of the source.
    if (error instanceof ModelError)
      throw new ImportError(file, error.message.replace(/^tokenizer\.json: /, ""));
    throw error;
  }
}

function withText(converted: Converted): ConvertedTokenizer {
  return { ...converted, text: converted.text ?? JSON.stringify(converted.tokenizerJson) };
}

async function convert(file: string, bytes: Buffer): Promise<Converted> {
  if (bytes[0] === 0x80) return convertPickle(file, bytes);
  if (isSentencePiece(bytes)) return convertSentencePiece(file, bytes);
  const text = decode(file, bytes);
  const plain = text.replace(/^\ufeff/, "");
  if (/^\s*\{/.test(plain)) return convertJson(file, plain);
  if (isRanks(plain)) return convertRanks(file, plain);
  if (plain.startsWith("#version") || PAIRS.some(([, merges]) => merges === basename(file)))
    return convertPair(file, partner(file, 0), file);
  // A model can be trained on any text, so only the file's name tells that this is one.
  if (/\.txt$/i.test(file)) return convertText(file, text);
  throw new ImportError(file, `expected ${FORMATS}, got another text`);
}

async function convertJson(file: string, text: string): Promise<Converted> {
  const json = parseJson(file, text);
  if (isFields(json.model)) return { kind: "tokenizer.json", tokenizerJson: json, text, bos: null, eos: [] };
  if (!Object.values(json).every((id) => typeof id === "number"))
    throw new ImportError(file, `expected ${FORMATS}, got other JSON`);
  return convertPair(file, file, partner(file, 1));
}

/** The vocabulary (0) or the merges (1) that lie beside the other file. @throws ImportError if there are none */
function partner(file: string, which: 0 | 1): string {
  const pairs = PAIRS.toSorted((a) => (a.includes(basename(file) as never) ? -1 : 1));
  const found = pairs.map((pair) => join(dirname(file), pair[which])).find((name) => existsSync(name));
  if (found !== undefined) return found;
  throw new ImportError(file, `expected ${pairs[0]![which]} beside this file, got none`);
}

async function convertPair(file: string, vocabFile: string, mergesFile: string): Promise<Converted> {
  const besides = (name: string) => join(dirname(file), name);
  const isHuggingFace = basename(vocabFile) === "vocab.json";
  // Most newer tokenizers also normalize texts and split words in ways that the pair doesn't describe.
  if (isHuggingFace && existsSync(besides("tokenizer.json"))) return readTokenizer(besides("tokenizer.json"));
  const [ids, config] = await Promise.all([
    readJson(vocabFile),
    readJson(besides("tokenizer_config.json"), {}),
  ]);
  const name = config.tokenizer_class;
  if (isHuggingFace && typeof name === "string" && !name.startsWith("GPT2"))
    throw new ImportError(file, `expected the tokenizer.json of a ${shown(name)} beside this file, got none`);
  const merges = decode(mergesFile, await readBounded(mergesFile));
  return convertVocabMerges(vocabFile, ids, mergesFile, merges, isHuggingFace);
}

async function readJson(file: string, otherwise?: Fields): Promise<Fields> {
  if (otherwise !== undefined && !existsSync(file)) return otherwise;
  return parseJson(file, decode(file, await readBounded(file)));
}

async function findFile(path: string): Promise<string> {
  const found = await stat(path).catch(({ code }: NodeJS.ErrnoException) => {
    const got = code === "ENOENT" ? "no such file" : code;
    throw new ImportError(path, `expected ${FORMATS}, got ${got}`);
  });
  if (!found.isDirectory()) return path;
  const tokenizer = findTokenizer(path, await readdir(path));
  return tokenizer.kind === "merges" ? tokenizer.vocab : tokenizer.file;
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
    // The byte order mark is kept: a character model's text may begin with it, and it is a character there.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    if (/^tok[^/\\]*\.bin$/.test(basename(file)))
      throw new ImportError(
        file,
        "expected a tokenizer with its merges or scores, got llama2.c's .bin; name the SentencePiece .model that it was made from",
      );
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
