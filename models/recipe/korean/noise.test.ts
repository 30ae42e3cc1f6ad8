import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../random.js";
import { disturb } from "./noise.js";
import { ASK } from "./wordings.js";

test("strange words come between a template's words, which stay in order", () => {
  const random = new Random(5);
  for (let i = 0; i < 100; i++) {
    const words = disturb("{P}에서 {R을} 뽑아?", random, false).split(" ");
    assert.ok(words.length > 3);
    const kept = words.filter((word) => ["{P}에서", "{R을}", "뽑아?"].includes(word));
    assert.deepEqual(kept, ["{P}에서", "{R을}", "뽑아?"]);
  }
});

test("replacing spares the slots", () => {
  const random = new Random(5);
  const disturbed = Array.from({ length: 100 }, () => disturb("{P}에서 {R을} 뽑아?", random, true));
  for (const template of disturbed) assert.match(template, /\{P\}에서.*\{R을\}/);
  assert.ok(disturbed.some((template) => !template.includes("뽑아?")));
});

test("held-out wordings keep words that no disturbance brings", () => {
  const random = new Random(5);
  const brought = new Set(Array.from({ length: 20_000 }, () => disturb("", random, false).split(" ")).flat());
  for (const template of ASK.heldOut) {
    const words = template.split(" ").filter((word) => !/[{}(|)]/.test(word));
    assert.ok(
      words.some((word) => !brought.has(word)),
      template,
    );
  }
});
