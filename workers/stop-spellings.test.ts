import assert from "node:assert/strict";
import { it } from "node:test";
import { byteTokenizer } from "../models/fixtures/model.js";
import { createTokenizer } from "../models/tokenizer/tokenizer.js";
import { spellings } from "./stop-spellings.js";

/** Like JAI's: words and signs apart, unknown characters lost, no decoder. */
const characters = [..."[]/,ANSWERKafk"];
const words = createTokenizer(
  {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: "Whitespace" },
    post_processor: null,
    decoder: null,
    model: {
      type: "BPE",
      unk_token: "[UNK]",
      vocab: Object.fromEntries(["[UNK]", ...new Set(characters), "[/"].map((token, id) => [token, id])),
      merges: [["[", "/"]],
    },
  },
  { unk_token: "[UNK]" },
);

it("knows a stop string as a tokenizer without a decoder writes it", () => {
  const spelled = words.decode(words.encode("[/ANSWER]"));
  assert.notEqual(spelled, "[/ANSWER]");
  assert.deepEqual(spellings("[/ANSWER]", words), ["[/ANSWER]", spelled, ` ${spelled}`]);
});

it("takes a stop string of which the tokenizer loses a part only as it is", () => {
  for (const stop of ["😀,", "a😀,", "\n,", " a", "K\n", "😀"])
    assert.deepEqual(spellings(stop, words), [stop]);
});

it("has one spelling where the tokenizer keeps the text", () => {
  const bytes = createTokenizer(byteTokenizer(), { eos_token: "[EOS]" });
  for (const stop of ["[/ANSWER]", " a", "\n,", "가😀"]) assert.deepEqual(spellings(stop, bytes), [stop]);
});

it("leaves a stop string alone that has a character which the model never writes", () => {
  const model = { type: "BPE", vocab: { a: 0 }, merges: [], jai: { refuses_unknown: true } };
  assert.deepEqual(spellings("ab", createTokenizer({ model }, {})), ["ab"]);
});
