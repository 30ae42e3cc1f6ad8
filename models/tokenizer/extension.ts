import { isFields } from "../files/fields.js";
import { expect } from "./vocabulary.js";

/**
 * What tokenizer.json has no words for, in a field `jai` of its `model`, which the Rust library skips. The import writes
 * it for tokenizers of other formats, so that they encode exactly as their originals do.
 */
export interface Extension {
  /** Refuse a text with an unknown character, which is dropped otherwise. */
  refusesUnknown: boolean;
  /** Tokens that are found in the normalized text before the model sees it. */
  symbols: readonly string[];
  /** Tokens that no text encodes to, though it may read like one of them. */
  unreachable: ReadonlySet<string>;
  /** Sum scores in single precision, as SentencePiece does. */
  singlePrecision: boolean;
}

/** @throws ModelError if it is malformed */
export function parseExtension(json: unknown): Extension {
  expect(json === undefined || isFields(json), "an object for jai", json);
  const { refuses_unknown, symbols = [], unreachable = [], single_precision } = json ?? {};
  for (const flag of [refuses_unknown, single_precision])
    expect(flag === undefined || typeof flag === "boolean", "true or false in jai", flag);
  for (const list of [symbols, unreachable])
    expect(
      Array.isArray(list) && list.every((one) => typeof one === "string"),
      "lists of tokens in jai",
      list,
    );
  return {
    refusesUnknown: refuses_unknown === true,
    symbols: symbols as string[],
    unreachable: new Set(unreachable as string[]),
    singlePrecision: single_precision === true,
  };
}
