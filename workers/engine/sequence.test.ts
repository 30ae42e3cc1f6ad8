import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { byteTokenizer } from "../../models/fixtures/model.js";
import { createTokenizer } from "../../models/tokenizer/tokenizer.js";
import type { Outcome } from "./outcome.js";
import { uniform } from "./sampling/philox.js";
import { PLAIN_SAMPLING } from "./sampling/sampling.js";
import { Sequence, type SequenceOptions } from "./sequence.js";

const tokenizer = createTokenizer(byteTokenizer(), { eos_token: "[EOS]" });
const EOS = tokenizer.eosId!;

/** Feeds a sequence the ids that a model might draw, until it ends. */
function feed(ids: readonly number[], options: Partial<SequenceOptions> = {}) {
  let end: Outcome | undefined;
  const sequence = new Sequence({
    promptIds: tokenizer.encode("질문: "),
    maxTokens: 100,
    sampling: { ...PLAIN_SAMPLING, temperature: 0, seed: [0, 0] },
    stop: [],
    eosIds: [EOS],
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
  const finished = end as Extract<Outcome, { type: "finished" }> | undefined;
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
      eosIds: [],
      maxTokens: 7,
    });
    assert.equal(end?.reason, "length");
    assert.equal(end?.generated, "답더");
  });

  it("says once that its prompt has been read, with its first token, unless that ends it", () => {
    const said: number[] = [];
    const ids = tokenizer.encode("abcdef");
    const onRead = () => said.push(1);
    feed(ids, { onRead });
    assert.equal(said.length, 1);
    feed(ids, { onRead, maxTokens: 1 });
    feed([EOS], { onRead });
    assert.equal(said.length, 1);
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

  it("does not end at what a stop string or the end-of-sequence token is before minTokens", () => {
    const ids = tokenizer.encode("a. b. c.");
    const stops = { stop: ["."] };
    assert.equal(feed(ids, stops).end?.generated, "a");
    assert.equal(feed(ids, { ...stops, minTokens: 1 }).end?.generated, "a");
    assert.equal(feed(ids, { ...stops, minTokens: 2 }).end?.generated, "a. b");
    assert.equal(feed(ids, { ...stops, minTokens: 4 }).end?.generated, "a. b");
    assert.equal(feed(ids, { ...stops, minTokens: 7 }).end?.generated, "a. b. c");
    assert.equal(feed(ids, { ...stops, minTokens: 8 }).end, undefined);
    assert.equal(
      feed(ids, { stop: [". b"], minTokens: 3 }).end?.generated,
      "a",
      "a stop string may begin before and end after",
    );
  });

  it("ends at any of the end-of-sequence tokens, and withholds all of them before minTokens", () => {
    const ends = [EOS, EOS + 1];
    for (const end of ends) {
      let outcome: Outcome | null = null;
      const sequence = new Sequence({
        promptIds: [1],
        maxTokens: 9,
        minTokens: 1,
        sampling: { ...PLAIN_SAMPLING, seed: [0, 0] },
        stop: [],
        eosIds: ends,
        context: 64,
        contextStride: 16,
        decoder: tokenizer,
        onEnd: (end) => {
          outcome = end;
        },
      });
      assert.deepEqual(sequence.restraints().withheld, ends);
      assert.equal(sequence.push(65), false);
      assert.deepEqual(sequence.restraints().withheld, []);
      assert.equal(sequence.push(end), true);
      const { type, reason } = outcome as unknown as { type: string; reason: string };
      assert.deepEqual([type, reason], ["finished", "stop"]);
    }
  });

  it("withholds the end-of-sequence token until there are minTokens", () => {
    const sequence = new Sequence({
      promptIds: [1],
      maxTokens: 9,
      minTokens: 2,
      sampling: { ...PLAIN_SAMPLING, seed: [0, 0] },
      stop: [],
      eosIds: [EOS],
      context: 64,
      contextStride: 16,
      decoder: tokenizer,
      onEnd: () => {},
    });
    const withheld = [];
    for (let i = 0; i < 4; i++) {
      withheld.push(sequence.restraints().withheld);
      sequence.push(65);
    }
    assert.deepEqual(withheld, [[EOS], [EOS], [], []]);
  });

  it("counts what it leaves out when bytes that are no UTF-8 come before a stop string", () => {
    const garbage = new Array<number>(20).fill(tokenizer.encode("가")[0]!);
    const ids = [...tokenizer.encode("a"), ...garbage, ...tokenizer.encode("가 stop")];
    const { end } = feed(ids, { stop: ["stop"] });
    assert.equal(end?.generated, `a${"\ufffd".repeat(20)}가 `);
  });
});

describe("a sequence that is streamed", () => {
  /** Feeds it ids and gathers the texts that it gives, with the number of tokens before each. */
  function stream(ids: readonly number[], options: Partial<SequenceOptions> = {}) {
    const told: { text: string; tokens: number }[] = [];
    const { end } = feed(ids, { ...options, onText: (text, tokens) => told.push({ text, tokens }) });
    return { told, texts: told.map(({ text }) => text), end: end! };
  }

  it("tells each character with its last token, and with it the tokens since the last", () => {
    const { told, end } = stream(tokenizer.encode("a가b끝"), { maxTokens: 8 });
    assert.deepEqual(told, [
      { text: "a", tokens: 1 },
      { text: "가", tokens: 3 },
      { text: "b", tokens: 1 },
    ]);
    assert.equal(end.generated, "a가b끝", "the end itself is the outcome's");
  });

  it("holds back what may begin a stop string until it is certain", () => {
    const { told, end } = stream(tokenizer.encode("x[/A[/END]y"), { stop: ["[/END]"] });
    assert.deepEqual(told, [
      { text: "x", tokens: 1 },
      { text: "[/A", tokens: 3 },
    ]);
    assert.equal(end.generated, "x[/A");
    assert.equal(end.completionTokens, 10);
  });

  it("tells the log-probabilities of the tokens that it tells, and all of them at its end", () => {
    const ids = tokenizer.encode("a가b끝");
    const logprobs = ids.map((id, i) => ({ id, logprob: -i, top: [] }));
    const told: { text: string; ids: number[] }[] = [];
    const ends: Outcome[] = [];
    const sequence = new Sequence({
      promptIds: [1],
      maxTokens: ids.length,
      sampling: { ...PLAIN_SAMPLING, seed: [0, 0] },
      stop: ["끄"],
      eosIds: [EOS],
      logprobs: 0,
      context: 64,
      contextStride: 16,
      decoder: tokenizer,
      onText: (text, tokens, given) => {
        assert.equal(given?.length, tokens);
        told.push({ text, ids: given!.map(({ id }) => id) });
      },
      onEnd: (end) => ends.push(end),
    });
    for (const [i, id] of ids.entries()) sequence.push(id, logprobs[i]);
    assert.deepEqual(told, [
      { text: "a", ids: ids.slice(0, 1) },
      { text: "가", ids: ids.slice(1, 4) },
      { text: "b", ids: ids.slice(4, 5) },
    ]);
    assert.deepEqual((ends[0] as Extract<Outcome, { type: "finished" }>).logprobs, logprobs);
  });

  it("tells a beginning of the outcome's text and no more tokens than it has, whatever is drawn", () => {
    for (let seed = 0; seed < 500; seed++) {
      const ids = Array.from({ length: 40 }, (_, i) => {
        const byte = Math.floor(uniform([seed, 9], i) * 300);
        // Any byte, but mostly letters and Hangul, so that there are characters and stop strings to find.
        return byte < 256 ? byte : [...tokenizer.encode("a가")][byte % 4]!;
      });
      const options = {
        stop: seed % 2 ? ["a\ufffd", "가", "\ufffd\ufffd\ufffd"] : [],
        maxTokens: 1 + (seed % 40),
      };
      const { told, texts, end } = stream(ids, options);
      const without = feed(ids, options).end;
      assert.deepEqual({ ...end, firstTokenMs: 0 }, { ...without, firstTokenMs: 0 });
      if (end === undefined) continue;
      assert.ok(end.generated.startsWith(texts.join("")), JSON.stringify({ texts, end }));
      assert.ok(told.reduce((sum, { tokens }) => sum + tokens, 0) < end.completionTokens);
      assert.ok(told.every(({ text, tokens }) => text !== "" && tokens > 0));
    }
  });
});
