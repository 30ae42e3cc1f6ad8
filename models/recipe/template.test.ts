import assert from "node:assert/strict";
import { test } from "node:test";
import { english } from "./english/index.js";
import { korean } from "./korean/index.js";
import { Random } from "./random.js";
import { phrase } from "./template.js";

test("a template's choices are all taken and its slots filled with the right particle", () => {
  const random = new Random(1);
  const seen = new Set(
    Array.from({ length: 50 }, () =>
      phrase("{P}에서 {R을} (찾아|뽑아)(|?)", { P: "부산", R: "간호사" }, random, korean),
    ),
  );
  assert.deepEqual([...seen].sort(), [
    "부산에서 간호사를 뽑아",
    "부산에서 간호사를 뽑아?",
    "부산에서 간호사를 찾아",
    "부산에서 간호사를 찾아?",
  ]);
});

test("English words take their article and their plural", () => {
  const say = (role: string) => phrase("{R a}, {R s}", { R: role }, new Random(1), english);
  assert.equal(say("nurse"), "a nurse, nurses");
  assert.equal(say("accountant"), "an accountant, accountants");
  assert.equal(say("UX designer"), "a UX designer, UX designers");
  assert.equal(say("coach"), "a coach, coaches");
});

test("a slot without a word, or in a form that the language doesn't have, is an error", () => {
  assert.throws(
    () => phrase("{S} 쓰는 {R}", { R: "간호사" }, new Random(1), korean),
    /expected a word for \{S\}/,
  );
  assert.throws(() => phrase("{R the}", { R: "nurse" }, new Random(1), english), /expected the form/);
});
