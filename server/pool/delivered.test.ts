import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenLogprob } from "../../workers/protocol.js";
import { Delivered, OtherText } from "./delivered.js";

const ids = (...numbers: number[]): TokenLogprob[] => numbers.map((id) => ({ id, logprob: -1, top: [] }));
const piece = (text: string, tokens: number, logprobs?: TokenLogprob[]) => ({ text, tokens, logprobs });

/** A text whose first run delivered "abcd" in three tokens. */
function begun(): Delivered {
  const delivered = new Delivered();
  assert.deepEqual(delivered.take(piece("ab", 1, ids(1))), piece("ab", 1, ids(1)));
  assert.deepEqual(delivered.take(piece("cd", 2, ids(2, 3))), piece("cd", 2, ids(2, 3)));
  delivered.startOver();
  return delivered;
}

test("a rerun's pieces are skipped up to what was delivered, wherever they are cut", () => {
  for (const cuts of [
    [piece("abcdef", 5, ids(1, 2, 3, 4, 5))],
    [piece("ab", 1, ids(1)), piece("cdef", 4, ids(2, 3, 4, 5))],
    [piece("ab", 1, ids(1)), piece("cd", 2, ids(2, 3)), piece("ef", 2, ids(4, 5))],
  ]) {
    const delivered = begun();
    const fresh = cuts.map((cut) => delivered.take(cut)).filter((one) => one !== null);
    assert.deepEqual(fresh, [piece("ef", 2, ids(4, 5))]);
    assert.equal(delivered.tokens, 5);
  }
});

test("a rerun that dies before it got that far takes nothing back", () => {
  const delivered = begun();
  assert.equal(delivered.take(piece("ab", 1)), null);
  assert.equal(delivered.tokens, 3);
  delivered.startOver();
  assert.deepEqual(delivered.take(piece("abcdef", 5)), piece("ef", 2));
});

test("a rerun that writes something else is refused", () => {
  const wrong: ReturnType<typeof piece>[][] = [
    [piece("aX", 1)],
    [piece("abcX", 4)],
    [piece("abXdef", 5)],
    // The same text of other tokens.
    [piece("abcd", 2)],
    [piece("abcd", 4)],
    [piece("ab", 1), piece("cdef", 2)],
    [piece("abc", 3)],
    [piece("abcd", 3, ids(1, 9, 3))],
    [piece("abcdef", 5, ids(1, 2, 9, 4, 5))],
  ];
  for (const pieces of wrong) {
    const delivered = begun();
    assert.throws(() => pieces.map((one) => delivered.take(one)), OtherText, JSON.stringify(pieces));
  }
});

test("a whole text has to begin with what was delivered", () => {
  const delivered = begun();
  delivered.assertBegins("abcd", 3);
  delivered.assertBegins("abcdef", 5);
  assert.throws(() => delivered.assertBegins("abc", 3), OtherText);
  assert.throws(() => delivered.assertBegins("abXdef", 5), OtherText);
  assert.throws(() => delivered.assertBegins("abcd", 2), OtherText);
});
