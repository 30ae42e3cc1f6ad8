import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { byteTokenizer } from "../../models/fixture.js";
import { createTokenizer } from "../../models/tokenizer.js";
import { type Decoder, Detokenizer } from "./detokenizer.js";

const bytes = createTokenizer(byteTokenizer(), { eos_token: "[EOS]" });
/** Like JAI's tokenizer, which has no decoder: tokens joined by single spaces. */
const words: Decoder = { decode: (ids) => ids.map((id) => `w${id}`).join(" ") };

function pieces(decoder: Decoder, ids: readonly number[]): string[] {
  const detokenizer = new Detokenizer(decoder);
  return ids.map((id) => detokenizer.push(id));
}

describe("detokenizing one id at a time", () => {
  it("joins to the text of all ids", () => {
    const text = "서울에서 React 개발자\n채용 👩‍💻 [ANSWER]\u0000 é";
    assert.equal(pieces(bytes, bytes.encode(text)).join(""), text);
    assert.equal(pieces(words, [1, 2, 3, 4]).join(""), words.decode([1, 2, 3, 4]));
  });

  it("never emits a part of a character", () => {
    const text = "가👩‍💻é";
    for (const piece of pieces(bytes, bytes.encode(text)))
      assert.ok(!piece.includes("\uFFFD"), JSON.stringify(piece));
  });

  it("keeps the space around a token that is no text", () => {
    const silent: Decoder = { decode: (ids) => words.decode(ids.filter((id) => id !== 0)) };
    for (const ids of [
      [1, 0, 2],
      [0, 1, 0, 0, 2, 0, 3],
      [0, 0],
    ]) {
      assert.equal(pieces(silent, ids).join(""), silent.decode(ids));
    }
  });

  it("passes over bytes that are no UTF-8 instead of waiting for ever", () => {
    const garbage = [
      ...bytes.encode("a"),
      ...new Array<number>(50).fill(bytes.encode("가")[0]!),
      ...bytes.encode("b가"),
    ];
    const joined = pieces(bytes, garbage).join("");
    assert.ok(joined.startsWith("a"));
    assert.ok(joined.endsWith("b가"));
  });
});
