import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { uniform } from "../../workers/engine/sampling/philox.js";
import { byteTokenizer } from "../fixtures/model.js";
import { prepareDetokenizer } from "./detokenizer.js";
import { createTokenizer } from "./tokenizer.js";

const bytes = createTokenizer(byteTokenizer(), { eos_token: "[EOS]" });

/** The text that each id adds, and the text of the end. */
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
    // Bytes at the borders of those that can begin or continue a character.
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
    const words = prepareDetokenizer(null, ["a", undefined, "b", "c"]);
    assert.deepEqual(pieces([1, 0, 1, 2, 3], words), ["", "a", "", " b", " c", ""]);
  });

  it("takes Metaspace's mark for a space, but for the one that was put before the text", () => {
    const decoder = { type: "Metaspace", replacement: "▁", prepend_scheme: "always" };
    const tokens = ["▁ab", "c▁", undefined];
    assert.deepEqual(pieces([2, 0, 1, 0], prepareDetokenizer(decoder, tokens)), ["", "ab", "c ", " ab", ""]);
    const never = prepareDetokenizer({ ...decoder, prepend_scheme: "never" }, tokens);
    assert.deepEqual(pieces([0, 1], never), [" ab", "c ", ""]);
  });
});

describe("what a token is by itself", () => {
  it("is bytes, and a text where they are whole characters", () => {
    const [first, second, third] = bytes.encode("가");
    assert.deepEqual(bytes.tokenBytes(first!, true), { bytes: Uint8Array.of(0xea), text: null });
    assert.deepEqual(bytes.tokenBytes(97, false), { bytes: Uint8Array.of(97), text: "a" });
    const joined = [first, second, third].flatMap((id) => [...bytes.tokenBytes(id!, false).bytes!]);
    assert.equal(Buffer.from(joined).toString(), "가");
  });

  it("is a name without bytes where it is no text", () => {
    assert.deepEqual(bytes.tokenBytes(256, false), { bytes: null, text: "[EOS]" });
    assert.deepEqual(bytes.tokenBytes(9999, false), { bytes: null, text: "" });
  });

  it("begins with the space that stands before a word, unless it is the first", () => {
    const vocab = { 연봉: 0 };
    const words = createTokenizer({ model: { type: "BPE", vocab, merges: [] } }, {});
    assert.equal(words.tokenBytes(0, true).text, "연봉");
    assert.equal(words.tokenBytes(0, false).text, " 연봉");
    assert.equal(Buffer.from(words.tokenBytes(0, false).bytes!).toString(), " 연봉");
  });
});
