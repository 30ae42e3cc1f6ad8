import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { uniform } from "../../workers/engine/philox.js";
import { byteTokenizer } from "../fixture.js";
import { createTokenizer } from "../tokenizer.js";
import { prepareDetokenizing } from "./detokenizer.js";

const bytes = createTokenizer(byteTokenizer(), { eos_token: "[EOS]" });

/** What each id adds, and at last the end. */
function pieces(ids: readonly number[], make = bytes.detokenizer): string[] {
  const detokenizer = make();
  return [...ids.map((id) => detokenizer.push(id)), detokenizer.end()];
}

describe("detokenizing one id at a time", () => {
  it("gives text whose parts join to the whole, and none of which ends in a part of a character", () => {
    const text = "\ufeff서울에서 React 개발자\n채용 👩‍💻 [ANSWER]\u0000 é\ufeff";
    const parts = pieces(bytes.encode(text));
    assert.equal(parts.join(""), text);
    assert.ok(parts.every((part) => !part.includes("\ufffd")));
    assert.equal(parts.at(-1), "");
  });

  it("reads any bytes, UTF-8 or not, as one reads them all at once", () => {
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    // Bytes at the borders of what can begin and go on with a character.
    const telling = [
      0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xea, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff,
    ];
    for (let seed = 0; seed < 3000; seed++) {
      const drawn = Uint8Array.from(
        { length: 1 + (seed % 17) },
        (_, i) => telling[Math.floor(uniform([seed, 1], i) * telling.length)]!,
      );
      // The fixture's ids are its bytes.
      const parts = pieces([...drawn]);
      assert.equal(parts.join(""), utf8.decode(drawn), `bytes ${drawn}`);
      for (let n = 0; n <= drawn.length; n++) {
        const sofar = parts.slice(0, n).join("");
        assert.ok(utf8.decode(drawn.subarray(0, n)).length - sofar.length <= 3, `waits too long: ${drawn}`);
      }
    }
  });

  it("keeps a character of an added token that stands for no byte", () => {
    const json = byteTokenizer() as { added_tokens: { id: number; content: string }[] };
    // The last stand-in for a byte is U+0143; this is the character after it.
    json.added_tokens[1]!.content = "ko\u0144";
    const tokenizer = createTokenizer(json, { eos_token: "[EOS]" });
    assert.equal(pieces([json.added_tokens[1]!.id], tokenizer.detokenizer).join(""), "ko\u0144");
  });

  it("has nothing for control tokens and unknown ids, wherever they stand", () => {
    const [first, second, third] = bytes.encode("가");
    const ids = [256, first!, 256, second!, 9999, third!, 256];
    assert.deepEqual(pieces(ids), ["", "", "", "", "", "가", "", ""]);
  });

  it("joins words by single spaces without a decoder, also across tokens without a text", () => {
    const words = prepareDetokenizing(null, ["a", undefined, "b", "c"]).detokenizer;
    assert.deepEqual(pieces([1, 0, 1, 2, 3], words), ["", "a", "", " b", " c", ""]);
  });

  it("takes Metaspace's mark for a space, but for the one that was put before the text", () => {
    const decoder = { type: "Metaspace", replacement: "▁", prepend_scheme: "always" };
    const tokens = ["▁ab", "c▁", undefined];
    assert.deepEqual(pieces([2, 0, 1, 0], prepareDetokenizing(decoder, tokens).detokenizer), [
      "",
      "ab",
      "c ",
      " ab",
      "",
    ]);
    const never = prepareDetokenizing({ ...decoder, prepend_scheme: "never" }, tokens).detokenizer;
    assert.deepEqual(pieces([0, 1], never), [" ab", "c ", ""]);
  });

  it("says of each id which bytes it adds, as the first and as a later one", () => {
    const text = (piece: Uint8Array) => Buffer.from(piece).toString();
    const [first] = bytes.encode("가");
    assert.deepEqual(bytes.tokenBytes(first!, true), Uint8Array.of(0xea));
    assert.equal(text(bytes.tokenBytes(257, false)), "[QUESTION]");
    for (const id of [256, 9999]) assert.equal(bytes.tokenBytes(id, false).length, 0);
    const words = prepareDetokenizing(null, ["a", undefined, "한"]);
    assert.deepEqual(
      [true, false].map((isFirst) => text(words.bytes(2, isFirst))),
      ["한", " 한"],
    );
    assert.equal(words.bytes(1, false).length, 0);
    const decoder = { type: "Metaspace", replacement: "▁", prepend_scheme: "always" };
    const marked = prepareDetokenizing(decoder, ["▁a▁b"]);
    assert.deepEqual(
      [true, false].map((isFirst) => text(marked.bytes(0, isFirst))),
      ["ab", " a b"],
    );
  });
});
