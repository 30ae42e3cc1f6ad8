import assert from "node:assert/strict";
import { test } from "node:test";
import { usualModel } from "../fixtures/stand-in.js";
import { readDocument } from "./document.js";
import { fitExamples } from "./examples.js";

const limits = { maxTokens: 4096, maxPromptChars: 32_768 };

/** Every example of the paths and their bodies, as text. */
function examplesOf(model: Parameters<typeof fitExamples>[1]): string {
  const document = readDocument(limits);
  fitExamples(document, model);
  const found: unknown[] = [];
  const collect = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, one] of Object.entries(value))
      if (key === "example" || key === "examples") found.push(one);
      else collect(one);
  };
  collect(document.paths);
  collect(document.components.requestBodies);
  return JSON.stringify(found);
}

test("examples have the served model's name, context and characters, in streams too", () => {
  // Its tokens are the characters of the alphabet.
  const { encode, decode } = usualModel.tokenizer;
  const tokenizer = { size: 128, encode, decode };
  const config = { ...usualModel.config, name: "shakespeare", n_positions: 77 };
  const examples = examplesOf({ config, tokenizer });
  assert.doesNotMatch(examples, /jai-small|[가-힣]/);
  assert.match(examples, /"prompt":"ABCDE"/);
  assert.match(examples, /"tokens":\[65,66,67,68,69\]/);
  assert.match(examples, /"max_model_len":77/);
  assert.match(examples, /\\"model\\":\\"shakespeare\\"/);
});

test("examples of the default model stay as they are", () => {
  const config = { ...usualModel.config, name: "jai-small" };
  assert.equal(
    examplesOf({ ...usualModel, config }),
    examplesOf({ config, tokenizer: { size: 0, encode: () => [], decode: () => "" } }),
  );
  assert.match(examplesOf({ ...usualModel, config }), /서울/);
});
