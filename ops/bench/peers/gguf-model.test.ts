import assert from "node:assert/strict";
import { test } from "node:test";
import { toSymbols } from "../../../models/tokenizer/byte-alphabet.js";
import { wholeText } from "./gguf-model.js";

test("a token of whole characters keeps its spelling, and one of parts of them gets a name", () => {
  const token = toSymbols("가");
  assert.equal(wholeText(token, 7), token);
  assert.equal(wholeText(token.slice(0, 2), 7), "[part7]");
  assert.equal(wholeText("가", 7), "[part7]");
});
