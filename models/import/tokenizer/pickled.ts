import { ImportError } from "../checkpoint/error.js";
import { describe, Instance, unpickle, type Value } from "../checkpoint/pickle.js";
import { rankedFields } from "./byte-level.js";
import { convertMeta } from "./characters.js";
import type { Converted } from "./converted.js";

const BOS = "<|bos|>";
/** nanochat's own code ends an answer at these. A token that begins the next text ends the one before. */
const EOS = ["<|assistant_end|>", "<|endoftext|>", BOS];

/** Converts nanochat's `tokenizer.pkl` (a tiktoken Encoding) or nanoGPT's `meta.pkl`. Nothing is run. @throws ImportError */
export function convertPickle(file: string, bytes: Uint8Array): Converted {
  const value = unpickle(bytes, {
    file,
    globals: new Map(),
    persistentLoad: () => {
      throw new ImportError(file, "expected a pickled tokenizer, got a reference to other data");
    },
  });
  if (value instanceof Instance && value.type === "tiktoken.core.Encoding")
    return convertEncoding(file, value.fields);
  if (value instanceof Map && value.has("stoi")) return convertMeta(file, value);
  throw new ImportError(
    file,
    `expected nanoGPT's meta.pkl (a dict with "stoi") or nanochat's tokenizer.pkl (a tiktoken Encoding), got ${describe(value)}`,
  );
}

function convertEncoding(file: string, state: ReadonlyMap<Value, Value>): Converted {
  const pattern = state.get("pat_str");
  const mergeable = state.get("mergeable_ranks");
  const specials = state.get("special_tokens") ?? new Map<Value, Value>();
  if (typeof pattern !== "string" || !(mergeable instanceof Map) || !(specials instanceof Map))
    throw new ImportError(file, "expected the pattern, ranks and special tokens of a tiktoken Encoding");
  const ranks = [...mergeable].map(([token, rank]): [Uint8Array, number] => {
    if (!(token instanceof Uint8Array) || typeof rank !== "number")
      throw new ImportError(
        file,
        `expected bytes and their rank, got ${describe(token)} and ${describe(rank)}`,
      );
    return [token, rank];
  });
  const special = new Map<string, number>();
  // Their ids follow the ranks, and the Rust library numbers them in the file's order.
  for (const [name, id] of [...specials].sort(([, a], [, b]) => Number(a) - Number(b))) {
    if (typeof name !== "string" || typeof id !== "number")
      throw new ImportError(
        file,
        `expected a special token and its id, got ${describe(name)} and ${describe(id)}`,
      );
    special.set(name, id);
  }
  return {
    kind: "tiktoken",
    tokenizerJson: rankedFields(file, ranks, { pattern, special, findsSpecial: true }),
    bos: special.has(BOS) ? BOS : null,
    eos: EOS.filter((name) => special.has(name)),
  };
}
