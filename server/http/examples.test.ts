import assert from "node:assert/strict";
import { test } from "node:test";
import { readModelFolder } from "../../models/folder.js";
import { usualModel } from "../fixtures/stand-in.js";
import { packageRoot } from "../settings/config.js";
import { readDocument } from "./document.js";
import { fitExamples } from "./examples.js";

const limits = { maxTokens: 4096, maxPromptChars: 32_768 };

/** Every example of the paths and their bodies, as text. @param model null: as openapi.yaml has them */
function examplesOf(model: Parameters<typeof fitExamples>[1] | null): string {
  const document = readDocument(limits);
  if (model !== null) fitExamples(document, model);
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
  const { config, tokenizer } = readModelFolder(`${packageRoot}/models/jai-small`);
  assert.equal(examplesOf({ config, tokenizer }), examplesOf(null));
  assert.match(examplesOf({ config, tokenizer }), /서울/);
});

test("a renamed model with the default model's tokenizer keeps the texts, and has its name and context", () => {
  const { config, tokenizer } = readModelFolder(`${packageRoot}/models/jai-small`);
  const examples = examplesOf({ config: { ...config, name: "mine", n_positions: 1024 }, tokenizer });
  assert.doesNotMatch(examples, /jai-small/);
  assert.match(examples, /"prompt":"서울 React 개발자"/);
  assert.match(examples, /"tokens":\[1905,1059,430\]/);
  assert.match(examples, /"max_model_len":1024/);
  assert.match(examples, /\\"model\\":\\"mine\\"/);
});

test("another model has its own tokens, though it is named like the default one", () => {
  const { encode, decode } = usualModel.tokenizer;
  const config = { ...usualModel.config, name: "jai-small" };
  assert.doesNotMatch(examplesOf({ config, tokenizer: { size: 128, encode, decode } }), /[가-힣]/);
  // It knows Hangul, a token for each character.
  const korean = examplesOf({ config, tokenizer: { size: 0x10000, encode, decode } });
  assert.match(korean, /"prompt":"서울 React 개발자"/);
  assert.match(korean, /"tokens":\[49436,50872,32,82,/);
  assert.doesNotMatch(korean, /판교|1905/);
});

test("a language that the tokenizer spells in bytes is not the model's", () => {
  const config = { ...usualModel.config, name: "bytes" };
  const encode = (text: string) => [...Buffer.from(text)];
  const decode = (ids: readonly number[]) => Buffer.from(ids).toString();
  assert.match(examplesOf({ config, tokenizer: { size: 256, encode, decode } }), /"prompt":"ABCDE"/);
});
