import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { byteTokenizer } from "../../../models/fixtures/model.js";
import { createTokenizer } from "../../../models/tokenizer/tokenizer.js";
import type { TokenLogprob } from "../../../workers/protocol.js";
import { chatLogprobs, completionLogprobs } from "./logprobs.js";
import { TokenRows } from "./token-rows.js";

// The fixture's token ids are bytes; 256 is [EOS].
const bytes = createTokenizer(byteTokenizer(), { eos_token: "[EOS]" });
const vocab = Object.fromEntries(["연봉", "은", "?", "[EOS]"].map((token, id) => [token, id]));
const words = createTokenizer({ model: { type: "BPE", vocab, merges: [] } }, { eos_token: "[EOS]" });

const entry = (id: number, top: [number, number][] = []): TokenLogprob => ({ id, logprob: -0.5, top });

function rowsOf(tokenizer: typeof bytes, ids: readonly number[]) {
  const rows = new TokenRows(tokenizer);
  for (const id of ids) rows.push(id, entry(id));
  return rows;
}

describe("the tokens of a text", () => {
  it("are taken only together with their text", () => {
    const ids = bytes.encode("a가b");
    const rows = rowsOf(bytes, ids);
    const taken = (end: number) => rows.take(end).map(({ id }) => id);
    assert.deepEqual(taken(0), []);
    assert.deepEqual(taken(1), ids.slice(0, 1));
    assert.deepEqual(taken(1), [], "no token of an incomplete character");
    assert.deepEqual(taken(2), ids.slice(1, 4));
    assert.deepEqual(taken(3), ids.slice(4));
  });

  it("end with the text: the end-of-sequence token and a stop text's tokens come after it", () => {
    const rows = rowsOf(bytes, [...bytes.encode("ab[END"), 256]);
    assert.deepEqual(
      rows.take("ab".length).map(({ id }) => id),
      bytes.encode("ab"),
    );
    assert.equal(rows.takeAll().length, 5);
  });

  it("have their offsets in the text", () => {
    const rows = rowsOf(bytes, [...bytes.encode("é가"), 256]);
    assert.deepEqual(completionLogprobs(rows.takeAll()).text_offset, [0, 0, 1, 1, 1, 2]);
  });
});

describe("log-probabilities in OpenAI's form", () => {
  it("show a token that isn't whole characters as its bytes", () => {
    const [first] = bytes.encode("가");
    const completion = completionLogprobs(rowsOf(bytes, [first!]).takeAll());
    assert.deepEqual(completion.tokens, ["bytes:\\xea"]);
    const chat = chatLogprobs(rowsOf(bytes, [first!]).takeAll());
    assert.deepEqual(chat.content[0], { token: "\\xea", logprob: -0.5, bytes: [0xea], top_logprobs: [] });
  });

  it("show a special token by its name, without bytes", () => {
    const { content } = chatLogprobs(rowsOf(bytes, [256]).takeAll());
    assert.deepEqual([content[0]?.token, content[0]?.bytes], ["[EOS]", null]);
  });

  it("show words with their space within a text, the likeliest alternatives too", () => {
    const rows = new TokenRows(words);
    rows.push(0, entry(0, [[2, -0.1]]));
    rows.push(1, entry(1, [[2, -0.1]]));
    const { content } = chatLogprobs(rows.takeAll());
    assert.deepEqual(
      content.map(({ token, top_logprobs }) => [token, top_logprobs[0]?.token]),
      [
        ["연봉", "?"],
        [" 은", " ?"],
      ],
    );
    assert.equal(content.map(({ token }) => token).join(""), words.decode([0, 1]));
    const joined = content.flatMap(({ bytes: some }) => some!);
    assert.equal(Buffer.from(joined).toString(), words.decode([0, 1]));
  });

  it("include the token itself among the likeliest, once", () => {
    const rows = new TokenRows(bytes);
    rows.push(97, entry(97, [[98, -0.1]]));
    rows.push(
      98,
      entry(98, [
        [98, -0.5],
        [97, -1],
      ]),
    );
    assert.deepEqual(completionLogprobs(rows.takeAll()).top_logprobs, [
      { b: -0.1, a: -0.5 },
      { b: -0.5, a: -1 },
    ]);
  });

  it("have no infinity, which JSON can't express", () => {
    const rows = new TokenRows(bytes);
    rows.push(97, { id: 97, logprob: -0.1, top: [[98, Number.NEGATIVE_INFINITY]] });
    assert.equal(chatLogprobs(rows.takeAll()).content[0]?.top_logprobs[0]?.logprob, -9999);
  });

  it("are null for a prompt's first token", () => {
    const rows = new TokenRows(bytes);
    rows.push(97, null);
    const { token_logprobs, top_logprobs } = completionLogprobs(rows.takeAll());
    assert.deepEqual([token_logprobs, top_logprobs], [[null], [null]]);
  });
});
