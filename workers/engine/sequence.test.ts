import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { byteTokenizer } from "../../models/fixture.js";
import { createTokenizer } from "../../models/tokenizer.js";
import type { FromSequence } from "../protocol.js";
import { Sequence, type SequenceOptions } from "./sequence.js";

const tokenizer = createTokenizer(byteTokenizer(), { eos_token: "[EOS]" });
const EOS = tokenizer.eosId!;

/** Feeds a sequence the ids that a model might draw, until it ends. */
function feed(ids: readonly number[], options: Partial<SequenceOptions> = {}) {
  let end: FromSequence | undefined;
  const sequence = new Sequence({
    promptIds: tokenizer.encode("질문: "),
    maxTokens: 100,
    temperature: 0,
    topK: 0,
    seed: [0, 0],
    stop: [],
    eosId: EOS,
    context: 64,
    contextStride: 16,
    decoder: tokenizer,
    onEnd: (outcome) => {
      assert.equal(end, undefined, "ended twice");
      end = outcome;
    },
    ...options,
  });
  let fed = 0;
  for (const id of ids) {
    fed++;
    if (sequence.push(id)) break;
  }
  const finished = end as Extract<FromSequence, { type: "finished" }> | undefined;
  return { fed, end: finished };
}

describe("a sequence", () => {
  it("ends at the end-of-sequence token, which is counted but is no text", () => {
    const { fed, end } = feed([...tokenizer.encode("답"), EOS, ...tokenizer.encode("더")]);
    assert.equal(fed, 4);
    assert.equal(end?.reason, "stop");
    assert.equal(end?.generated, "답");
    assert.equal(end?.fullText, "질문: 답");
    assert.equal(end?.completionTokens, 4);
  });

  it("goes on past the end-of-sequence token when there is none to stop at", () => {
    const { end } = feed([...tokenizer.encode("답"), EOS, ...tokenizer.encode("더")], {
      eosId: null,
      maxTokens: 7,
    });
    assert.equal(end?.reason, "length");
    assert.equal(end?.generated, "답더");
  });

  it("ends at maxTokens", () => {
    const { fed, end } = feed(tokenizer.encode("abcdef"), { maxTokens: 3 });
    assert.equal(fed, 3);
    assert.deepEqual([end?.reason, end?.generated, end?.fullText], ["length", "abc", "질문: abc"]);
  });

  it("leaves out a last character of which only some bytes were generated", () => {
    const { end } = feed(tokenizer.encode("가나"), { maxTokens: 5 });
    assert.deepEqual([end?.generated, end?.fullText], ["가", "질문: 가"]);
  });

  it("ends at a stop string that straddles tokens, and leaves it out", () => {
    const { fed, end } = feed(tokenizer.encode("하나 둘 [끝] 셋"), { stop: ["[끝]"] });
    assert.equal(fed, tokenizer.encode("하나 둘 [끝]").length);
    assert.deepEqual([end?.reason, end?.generated, end?.fullText], ["stop", "하나 둘 ", "질문: 하나 둘 "]);
  });

  it("ends at the stop string that begins first", () => {
    const { end } = feed(tokenizer.encode("one two three"), { stop: ["three", "wo t", "two"] });
    assert.equal(end?.generated, "one ");
  });

  it("ends at a stop string that is a special token", () => {
    const { end } = feed(tokenizer.encode("답[/ANSWER]\n"), { stop: ["[/ANSWER]"] });
    assert.equal(end?.generated, "답");
  });

  it("gives the same text with stop strings that never come as without any", () => {
    const ids = tokenizer.encode("가나 abc 다");
    for (let maxTokens = 1; maxTokens <= ids.length; maxTokens++) {
      const without = feed(ids, { maxTokens }).end;
      const having = feed(ids, { maxTokens, stop: ["zzz"] }).end;
      assert.equal(having?.generated, without?.generated);
      assert.equal(having?.fullText, without?.fullText);
    }
  });

  it("finds a stop string only in what was generated", () => {
    const { end } = feed(tokenizer.encode(" ab"), { stop: ["질문", ": "], maxTokens: 3 });
    assert.equal(end?.reason, "length");
  });
});
