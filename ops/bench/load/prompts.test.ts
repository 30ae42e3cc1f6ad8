import assert from "node:assert/strict";
import { test } from "node:test";
import { Prompts } from "./prompts.js";

/** A token for every run of letters or digits and every other sign. */
const encode = (text: string) =>
  (text.match(/[\p{L}]+|\p{N}|[^\s\p{L}\p{N}]/gu) ?? []).map((word) => word.length);

test("no two prompts are alike, and the same seed gives the same ones", () => {
  const prompts = new Prompts(encode, 1);
  const texts = Array.from({ length: 500 }, () => prompts.request(8, false).text);
  assert.ok(new Set(texts).size > 495);
  assert.equal(new Prompts(encode, 1).request(8, false).text, texts[0]);
  assert.notEqual(new Prompts(encode, 2).request(8, false).text, texts[0]);
});

test("a prompt has as many tokens as it should, but for a word", () => {
  const prompts = new Prompts(encode, 1);
  for (const tokens of [16, 24, 64, 200]) {
    const { text, ids } = prompts.request(8, false, tokens);
    assert.deepEqual(ids, encode(text));
    assert.ok(Math.abs(ids.length - tokens) <= 3, `${tokens}: ${ids.length}`);
  }
});

test("twins begin alike and end differently", () => {
  const [one, other] = new Prompts(encode, 1).twins(8, false, 100);
  const alike = one.text.split("").findIndex((letter, i) => letter !== other.text[i]);
  const shared = encode(one.text.slice(0, alike)).length;
  assert.ok(shared >= 90 && shared <= 115, String(shared));
  assert.notEqual(one.text, other.text);
});
