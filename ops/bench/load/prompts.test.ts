import assert from "node:assert/strict";
import { test } from "node:test";
import { Prompts } from "./prompts.js";
import type { Reading } from "./reading.js";

/** A simple tokenizer: one token for each run of letters, each digit and each other sign. */
const encode = (text: string) =>
  (text.match(/[\p{L}]+|\p{N}|[^\s\p{L}\p{N}]/gu) ?? []).map((word) => word.length);

const reading: Reading = { frame: (question) => `<q> ${question} <a>`, encode };

test("all prompts differ, and the same seed gives the same ones", () => {
  const prompts = new Prompts(reading, 1);
  const texts = Array.from({ length: 500 }, () => prompts.request(8, false).text);
  assert.ok(new Set(texts).size > 495);
  assert.equal(new Prompts(reading, 1).request(8, false).text, texts[0]);
  assert.notEqual(new Prompts(reading, 2).request(8, false).text, texts[0]);
});

test("a prompt has the requested number of tokens, up to one word more", () => {
  const prompts = new Prompts(reading, 1);
  for (const tokens of [16, 24, 64, 200]) {
    const { text, ids } = prompts.request(8, false, tokens);
    assert.deepEqual(ids, encode(text));
    assert.ok(Math.abs(ids.length - tokens) <= 3, `${tokens}: ${ids.length}`);
  }
});

test("questions that were asked before come again, each time with another seed", () => {
  const prompts = new Prompts(reading, 1);
  const requests = Array.from({ length: 100 }, () => prompts.askedBefore(8));
  const texts = new Set(requests.map(({ text }) => text));
  assert.ok(texts.size > 20 && texts.size < 30, String(texts.size));
  assert.equal(new Set(requests.map(({ seed }) => seed)).size, 100);
  assert.ok(texts.has(prompts.askedBefore(8).text));
});

test("twins share their beginning and differ at the end", () => {
  const [one, other] = new Prompts(reading, 1).twins(8, false, 100);
  const alike = one.text.split("").findIndex((letter, i) => letter !== other.text[i]);
  const shared = encode(one.text.slice(0, alike)).length;
  assert.ok(shared >= 90 && shared <= 115, String(shared));
  assert.notEqual(one.text, other.text);
});
