import { join } from "node:path";
import { ImportError } from "./error.js";

/** The files of a tokenizer, by how they are read. */
export type TokenizerFiles =
  | {
      kind: "tokenizer.json" | "sentencepiece" | "tiktoken" | "tokenizer.pkl" | "meta.pkl" | "text";
      file: string;
    }
  /** Ranks by token, and merges. */
  | { kind: "merges"; vocab: string; merges: string };

/** File names of one kind of tokenizer. Where it has two, both must be there. */
interface Kind {
  kind: TokenizerFiles["kind"];
  /** Exact names, which go before the others. */
  names: readonly (readonly [string, string?])[];
  pattern?: RegExp;
}

/** The first kind that is there is taken. Of two forms of one tokenizer, the one that converts without doubt comes first. */
const KINDS: readonly Kind[] = [
  { kind: "tokenizer.json", names: [["tokenizer.json"]] },
  {
    kind: "sentencepiece",
    names: [["tokenizer.model"]],
    pattern: /^(?:tok\d*|spiece|.*sentencepiece.*|.*\.bpe)\.model$/,
  },
  { kind: "tiktoken", names: [], pattern: /\.tiktoken$/ },
  {
    kind: "merges",
    names: [
      ["vocab.json", "merges.txt"],
      ["encoder.json", "vocab.bpe"],
    ],
  },
  { kind: "tokenizer.pkl", names: [["tokenizer.pkl"]] },
  { kind: "meta.pkl", names: [["meta.pkl"]] },
  // Karpathy's lecture and minGPT's chargpt: the vocabulary is the sorted set of the text's characters.
  { kind: "text", names: [["input.txt"]] },
];

const EXPECTED =
  "tokenizer.json, tokenizer.model, tok*.model, *.tiktoken, vocab.json and merges.txt, encoder.json and vocab.bpe, tokenizer.pkl, meta.pkl or input.txt";

/**
 * The tokenizer that lies in the folder.
 * @param names names of all files in it
 * @throws ImportError where there is none, or two of the same kind
 */
export function findTokenizer(folder: string, names: readonly string[]): TokenizerFiles {
  const has = new Set(names);
  for (const { kind, names: exact, pattern } of KINDS) {
    for (const [first, second] of exact) {
      if (!has.has(first) || (second !== undefined && !has.has(second))) continue;
      if (kind === "merges") return { kind, vocab: join(folder, first), merges: join(folder, second ?? "") };
      return { kind, file: join(folder, first) };
    }
    const [found, another] = pattern ? names.filter((name) => pattern.test(name)) : [];
    if (found === undefined || kind === "merges") continue;
    if (another !== undefined)
      throw new ImportError(
        folder,
        `expected one tokenizer, got ${found} and ${another}; choose with --tokenizer FILE`,
      );
    return { kind, file: join(folder, found) };
  }
  throw new ImportError(
    folder,
    `expected a tokenizer (${EXPECTED}), got none; name it with --tokenizer FILE`,
  );
}
