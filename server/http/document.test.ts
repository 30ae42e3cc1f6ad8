import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../settings/config.js";
import { bodyProperties, readDocument } from "./document.js";

const usual = { maxTokens: 4096, maxPromptChars: 32_768 };

test("the document shows the limits that this server enforces", () => {
  const document = readDocument({ maxTokens: 100, maxPromptChars: 7 });
  const { prompt, max_tokens } = bodyProperties(document, "/generate");
  assert.equal(prompt?.maxLength, 7);
  assert.equal(max_tokens?.maximum, 100);
  assert.equal(max_tokens?.default, 100, "the default must itself be allowed");
});

test("the document's own limits are the settings' defaults", () => {
  const text = readFileSync(join(packageRoot, "openapi.yaml"), "utf8");
  assert.match(text, new RegExp(`maxLength: ${usual.maxPromptChars}\n`));
  assert.match(text, new RegExp(`maximum: ${usual.maxTokens}\n`));
});

test("the document's version is the package's", () => {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  assert.equal(readDocument(usual).info.version, version);
});
