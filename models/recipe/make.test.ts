import assert from "node:assert/strict";
import { test } from "node:test";
import { Tokenizer } from "@huggingface/tokenizers";
import { trainBpe } from "./bpe.js";
import { format, inventCorpus, PairSplit } from "./corpus.js";
import { korean } from "./korean/index.js";
import { encode } from "./make.js";
import { free, key, unmarked, weightsOf } from "./marks.js";
import { Random } from "./random.js";
import { tokenizerFile } from "./tokenizer-file.js";

const pairs = new PairSplit(new Random(3), korean);
const conversations = [...inventCorpus(korean, 3, 300, pairs)];
const tokenizer = new Tokenizer(tokenizerFile(trainBpe(conversations.map(format).join("\n"), 700)), {});

test("what is free counts less than what decides, and what the question decides most", () => {
  const text = `회사: ${free("가나")}\n${key("bc")}d`;
  assert.equal(unmarked(text), "회사: 가나\nbcd");
  assert.deepEqual(weightsOf(text), [...new Array(8).fill(1), ...new Array(6).fill(0.3), 1, 2, 2, 1]);
});

test("a conversation's ids are those of its text, and only its answers count", () => {
  for (const conversation of conversations) {
    const { ids, weights } = encode(conversation, tokenizer);
    assert.deepEqual(ids, tokenizer.encode(format(conversation)).ids);
    assert.equal(weights.length, ids.length);
    let isAnswer = false;
    ids.forEach((id, index) => {
      if (tokenizer.id_to_token(id)?.startsWith("<|") && id !== tokenizer.token_to_id("<|end|>")) {
        isAnswer = id === tokenizer.token_to_id("<|assistant|>");
        assert.equal(weights[index], 0);
      } else if (isAnswer) assert.ok(weights[index]! >= 30);
      else assert.ok(weights[index]! <= 10);
    });
  }
});
