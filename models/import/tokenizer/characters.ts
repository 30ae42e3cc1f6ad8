import { bpeModel, tokenizerJson } from "../../tokenizer/tokenizer-json.js";
import { ImportError } from "../checkpoint/error.js";
import { describe, type Value } from "../checkpoint/pickle.js";
import type { Converted } from "./converted.js";

/** More characters than any language has. */
const MAX_CHARACTERS = 200_000;

/** A model of single characters: any other is refused, as in the scripts that train such models. */
function convertCharacters(file: string, vocab: ReadonlyMap<string, number>): Converted {
  if (vocab.size === 0 || vocab.size > MAX_CHARACTERS)
    throw new ImportError(file, `expected 1 to ${MAX_CHARACTERS} characters, got ${vocab.size}`);
  return {
    kind: "characters",
    tokenizerJson: tokenizerJson({
      decoder: { type: "Fuse" },
      model: bpeModel(Object.fromEntries(vocab), [], { jai: { refuses_unknown: true } }),
    }),
    bos: null,
    eos: [],
  };
}

/** The contents of nanoGPT's `meta.pkl`: ids by character as `stoi`. @throws ImportError */
export function convertMeta(file: string, meta: ReadonlyMap<Value, Value>): Converted {
  const stoi = meta.get("stoi");
  if (!(stoi instanceof Map))
    throw new ImportError(file, `expected a dict of characters and ids as "stoi", got ${describe(stoi)}`);
  const vocab = new Map<string, number>();
  const ids = new Set<number>();
  for (const [character, id] of stoi) {
    const single =
      typeof character === "string" && [...character].length === 1 && !/\p{Surrogate}/u.test(character);
    if (!single)
      throw new ImportError(file, `expected single characters in "stoi", got ${describe(character)}`);
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= 2 ** 24 || ids.has(id))
      throw new ImportError(
        file,
        `expected an id of its own for ${describe(character)} in "stoi", got ${describe(id)}`,
      );
    vocab.set(character, id);
    ids.add(id);
  }
  return convertCharacters(file, vocab);
}

/** The text that a model was trained on: the ids number its characters in order, as minGPT's do. @throws ImportError */
export function convertText(file: string, text: string): Converted {
  // Python reads every end of a line as "\n".
  const characters = [...new Set(text.replace(/\r\n?/g, "\n"))];
  characters.sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  return convertCharacters(file, new Map(characters.map((character, id) => [character, id])));
}
