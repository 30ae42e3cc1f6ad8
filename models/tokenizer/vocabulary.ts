import { ModelError } from "../files/error.js";
import { type Fields, isFields, shown } from "../files/fields.js";

/** @throws ModelError that says what was expected of tokenizer.json and what it has, unless `holds` */
export function expect(holds: boolean, expected: string, got: unknown): asserts holds {
  if (!holds) throw new ModelError(`tokenizer.json: expected ${expected}, got ${shown(got)}`);
}

/** Tokens and their ids. */
export function parseVocabulary(vocab: unknown): Map<string, number> {
  expect(isFields(vocab), "a vocabulary", vocab);
  const tokens = new Map<unknown, string>();
  for (const [token, id] of Object.entries(vocab)) {
    const valid = typeof id === "number" && Number.isInteger(id) && id >= 0 && id < 2 ** 24;
    expect(valid, `an id from 0 to 2^24 for ${shown(token)}`, id);
    expect(!tokens.has(id), `another id for ${shown(token)} than for ${shown(tokens.get(id))}`, id);
    tokens.set(id, token);
  }
  expect(tokens.size > 0, "a vocabulary", vocab);
  return new Map(Object.entries(vocab as Record<string, number>));
}

/**
 * The `model` for transformers.js: a consistent byte-pair encoding, without options that transformers.js reads
 * differently.
 */
export function prepareModel(model: Fields, vocabulary: ReadonlyMap<string, number>): Fields {
  const { vocab, merges, unk_token: unk = null, fuse_unk, ignore_merges } = model;
  for (const name of ["dropout", "continuing_subword_prefix", "end_of_word_suffix"])
    expect(!model[name], `no ${name}, which is not supported`, model[name]);
  for (const name of ["fuse_unk", "ignore_merges"])
    expect(
      [true, false, null, undefined].includes(model[name] as null),
      `true or false for ${name}`,
      model[name],
    );
  const known = (token: unknown) => typeof token === "string" && vocabulary.has(token);
  expect(unk === null || known(unk), "a token of the vocabulary for unk_token", unk);
  expect(Array.isArray(merges), "a list of merges", merges);
  const pairs = merges.map((merge: unknown, rank) => {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    expect(Array.isArray(pair) && pair.length === 2, `two tokens in merge ${rank}`, merge);
    expect(pair.every(known) && known(pair.join("")), `tokens of the vocabulary in merge ${rank}`, merge);
    return pair;
  });
  return { type: "BPE", vocab, merges: pairs, unk_token: unk, fuse_unk, ignore_merges };
}
