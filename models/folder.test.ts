import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GPT } from "./architecture.js";
import { jaiChatTemplate } from "./chat-template.js";
import { parseModelConfig } from "./config.js";
import { ModelError } from "./files/error.js";
import { byteLevelTokenizer, whitespaceTokenizer } from "./fixtures/tokenizers.js";
import { cacheBytesPerSlot, readModelFolder, renderConfigFiles, trimmedVocabulary } from "./folder.js";
import { createTokenizer } from "./tokenizer/tokenizer.js";

const tokenizerJson = byteLevelTokenizer();
const sizes = {
  name: "tiny",
  vocab_size: createTokenizer(tokenizerJson, {}).size,
  n_positions: 32,
  n_embd: 16,
  n_layer: 2,
  n_head: 4,
  layer_norm_epsilon: 1e-5,
  precision: "int8",
} as const;

const defaults = { n_kv_head: 4, head_dim: 4, architecture: GPT };

type Files = Record<string, unknown>;

/** A folder with what `import` writes, and `changes` on top: text is written as it is, null leaves the file out. */
function writeFolder(t: TestContext, changes: Files = {}): string {
  const dir = mkdtempSync(join(tmpdir(), "jai-folder-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const files: Files = {
    ...renderConfigFiles(sizes, tokenizerJson),
    "tokenizer.json": tokenizerJson,
    "onnx/model.onnx": "graph",
    ...changes,
  };
  mkdirSync(join(dir, "onnx"));
  for (const [name, content] of Object.entries(files))
    if (content !== null)
      writeFileSync(join(dir, name), typeof content === "string" ? content : JSON.stringify(content));
  return dir;
}

test("files that an editor on Windows has written are read as any others", (t) => {
  const files = { ...renderConfigFiles(sizes, tokenizerJson), "tokenizer.json": tokenizerJson };
  const edited = Object.entries(files).map(([name, content]) => [
    name,
    `\ufeff${JSON.stringify(content, null, 2).replaceAll("\n", "\r\n")}\r\n`,
  ]);
  const folder = readModelFolder(writeFolder(t, Object.fromEntries(edited)));
  assert.deepEqual(folder.config, { model_type: "jai", graph_version: 2, ...sizes, ...defaults });
  assert.deepEqual(folder.eosIds, [4]);
  assert.equal(folder.chatTemplate?.terminator, "[/ANSWER]");
});

function assertRefused(work: () => unknown, expected: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof ModelError, String(error));
    assert.match(error.message, /^[^\n]+$/);
    assert.match(error.message, expected);
    return true;
  });
}

test("a folder that was written is read back whole", (t) => {
  const dir = writeFolder(t, { "onnx/model.onnx_data": "weights" });
  const folder = readModelFolder(dir);
  assert.deepEqual(folder.config, { model_type: "jai", graph_version: 2, ...sizes, ...defaults });
  assert.deepEqual(folder.eosIds, [4]);
  assert.equal(folder.tokenizer.size, sizes.vocab_size);
  assert.equal(folder.chatTemplate?.terminator, "[/ANSWER]");
  assert.equal(folder.graphPath, join(dir, "onnx", "model.onnx"));
  assert.equal(folder.modelBytes, "graph".length + "weights".length);
});

test("a cache slot holds keys and values of every layer over the whole context", () => {
  const config = parseModelConfig({ model_type: "jai", graph_version: 2, ...sizes });
  const values = 2 * 2 * 16 * 32;
  assert.equal(cacheBytesPerSlot({ ...config, precision: "fp32" }), values * 4);
  // And a bias of four bytes for each head and position.
  assert.equal(cacheBytesPerSlot({ ...config, precision: "int8" }), values + 2 * 4 * 32 * 4);
});

test("control tokens are found among the tokenizer's by their usual names", () => {
  const files = renderConfigFiles(
    { ...sizes, vocab_size: createTokenizer(whitespaceTokenizer(), {}).size },
    whitespaceTokenizer(),
  );
  const { pad_token, unk_token, bos_token, eos_token } = files["tokenizer_config.json"];
  assert.deepEqual([pad_token, unk_token, bos_token, eos_token], ["[PAD]", "[UNK]", "[BOS]", "[EOS]"]);
  assert.deepEqual(files["generation_config.json"], { eos_token_id: 3 });
});

test("a tokenizer without an end-of-sequence token makes a model without one", () => {
  const json = { ...whitespaceTokenizer({ first: ["[UNK]"] }), added_tokens: [] };
  const files = renderConfigFiles({ ...sizes, vocab_size: createTokenizer(json, {}).size }, json);
  assert.deepEqual(files["generation_config.json"], { eos_token_id: null });
  assert.equal("eos_token" in files["tokenizer_config.json"], false);
});

test("the tokenizer_config.json that is written carries the chat template and no English touch-ups", () => {
  const config = renderConfigFiles(sizes, tokenizerJson)["tokenizer_config.json"];
  assert.equal(config.chat_template, jaiChatTemplate);
  assert.equal(config.clean_up_tokenization_spaces, false);
});

test("generation_config.json's end-of-sequence token wins", (t) => {
  assert.deepEqual(
    readModelFolder(writeFolder(t, { "generation_config.json": { eos_token_id: 7 } })).eosIds,
    [7],
  );
  assert.deepEqual(readModelFolder(writeFolder(t, { "generation_config.json": {} })).eosIds, []);
});

test("a list of ends is read whole, once each, and written as Hugging Face does", (t) => {
  const ends = (eos_token_id: unknown) =>
    readModelFolder(writeFolder(t, { "generation_config.json": { eos_token_id } })).eosIds;
  assert.deepEqual(ends([7, 4, 7]), [7, 4]);
  assert.deepEqual(ends([]), []);
  for (const wrong of [[7, 1e6], ["7"], [null], new Array(65).fill(1)])
    assertRefused(() => ends(wrong), /list of up to 64 ids below \d+ for eos_token_id, got \[/);
  const written = (eosIds: number[]) =>
    renderConfigFiles(sizes, tokenizerJson, { eosIds })["generation_config.json"];
  assert.deepEqual([[7, 4], [7], []].map(written), [
    { eos_token_id: [7, 4] },
    { eos_token_id: 7 },
    { eos_token_id: null },
  ]);
});

test("special tokens that end a text are no part of what it says, and others that end one are", (t) => {
  const { tokenizer } = readModelFolder(writeFolder(t));
  const [special] = tokenizer.encode("[ANSWER]") as [number];
  const [letter] = tokenizer.encode("a") as [number];
  const { tokenizer: ending } = readModelFolder(
    writeFolder(t, { "generation_config.json": { eos_token_id: [special, letter] } }),
  );
  assert.equal(tokenizer.decode([letter, special, letter]), "a[ANSWER]a");
  assert.equal(ending.decode([letter, special, letter]), "aa");
});

test("a folder whose chat template is null has none", (t) => {
  const dir = writeFolder(t, { "tokenizer_config.json": { eos_token: "[EOS]", chat_template: null } });
  assert.equal(readModelFolder(dir).chatTemplate, null);
  const written = renderConfigFiles(sizes, tokenizerJson, { chatTemplate: null })["tokenizer_config.json"];
  assert.equal(written.chat_template, null);
});

test("a folder without a chat template takes the JAI one; of several the default is taken", (t) => {
  const read = (chat_template: unknown) =>
    readModelFolder(
      writeFolder(t, { "tokenizer_config.json": { eos_token: "[EOS]", chat_template } }),
    ).chatTemplate?.render([{ role: "user", content: "hi" }]);
  assert.equal(read(undefined), "[QUESTION]\nhi\n[/QUESTION]\n\n");
  assert.equal(
    read([
      { name: "tools", template: "no" },
      { name: "default", template: "<{{ messages[0].content }}>" },
    ]),
    "<hi>",
  );
});

test("a folder that is not there is refused", () => {
  assertRefused(
    () => readModelFolder("/no/such/model"),
    /^model folder \/no\/such\/model: .*jai import.*, got nothing there$/,
  );
});

test("a file in the place of a folder, or on the way to it, is refused as such", (t) => {
  const file = join(writeFolder(t), "config.json");
  assertRefused(
    () => readModelFolder(file),
    /^model folder \S+config\.json: expected a folder .*, got a file$/,
  );
  assertRefused(
    () => readModelFolder(join(file, "x")),
    /^model folder \S+x: expected a folder .*, got a path that leads through a file$/,
  );
});

test("a path that the system refuses is one clear line", () => {
  assertRefused(() => readModelFolder("x".repeat(5000)), /expected a folder .*, got ENAMETOOLONG$/);
});

for (const name of [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "onnx/model.onnx",
])
  test(`a folder without ${name} is refused by that name`, (t) => {
    const dir = writeFolder(t, { [name]: null });
    assertRefused(
      () => readModelFolder(dir),
      new RegExp(`^model folder .*: expected the file ${name}, got none; import the model again$`),
    );
  });

const config = { model_type: "jai", graph_version: 2, ...sizes };
for (const [what, changes, expected] of [
  ["a config.json that is cut off", { "config.json": '{"name":\n' }, /config\.json: expected JSON, got: /],
  ["a config.json that is a list", { "config.json": [] }, /config\.json: expected a JSON object, got \[\]/],
  [
    "another model's type",
    { "config.json": { ...config, model_type: "gpt2" } },
    /"jai" for model_type, got "gpt2"/,
  ],
  ["no name", { "config.json": { ...config, name: undefined } }, /a name for name, got nothing/],
  ["no layers", { "config.json": { ...config, n_layer: 0 } }, /a positive integer for n_layer, got 0/],
  [
    "a width in words",
    { "config.json": { ...config, n_embd: "16" } },
    /positive integer for n_embd, got "16"/,
  ],
  ["half a head", { "config.json": { ...config, n_head: 1.5 } }, /positive integer for n_head, got 1\.5/],
  [
    "heads that do not share out",
    { "config.json": { ...config, n_head: 3 } },
    /divisor of n_embd \(16\).*n_head, got 3/,
  ],
  [
    "a context without end",
    { "config.json": { ...config, n_positions: 1e300 } },
    /positive integer for n_positions/,
  ],
  [
    "a negative epsilon",
    { "config.json": { ...config, layer_norm_epsilon: -1 } },
    /for layer_norm_epsilon, got -1/,
  ],
  [
    "an unknown precision",
    { "config.json": { ...config, precision: "int4" } },
    /"int8" or "fp32" for precision, got "int4"/,
  ],
  [
    "another vocabulary",
    { "config.json": { ...config, vocab_size: 50257 } },
    /tokenizer\.json: expected .* 50257 tokens, got \d+$/,
  ],
  [
    "an end beyond the vocabulary",
    { "generation_config.json": { eos_token_id: 1e6 } },
    /below \d+ for eos_token_id, got 1000000/,
  ],
  [
    "a template that does not parse",
    { "tokenizer_config.json": { chat_template: "{{" } },
    /^chat_template: expected a Jinja template, got one that does not parse$/,
  ],
  [
    "an empty graph",
    { "onnx/model.onnx": "" },
    /model\.onnx: expected a graph, got an empty file; import the model again$/,
  ],
  [
    "a template that is a number",
    { "tokenizer_config.json": { chat_template: 7 } },
    /Jinja template for chat_template, got 7/,
  ],
  [
    "a tokenizer.json that is no tokenizer",
    { "tokenizer.json": {} },
    /^tokenizer\.json: expected a model of type "BPE"/,
  ],
] as [string, Files, RegExp][])
  test(`a folder with ${what} is refused with one clear line`, (t) => {
    const dir = writeFolder(t, changes);
    assertRefused(() => readModelFolder(dir), expected);
  });

test("what could not be read back is not written", () => {
  assertRefused(() => renderConfigFiles({ ...sizes, n_head: 5 }, tokenizerJson), /n_head, got 5/);
  assertRefused(
    () => renderConfigFiles({ ...sizes, vocab_size: 9 }, tokenizerJson),
    /vocabulary of 9 tokens/,
  );
  assertRefused(
    () => renderConfigFiles(sizes, tokenizerJson, { chatTemplate: "{% if %}" }),
    /^chat_template: /,
  );
});

test("a model's vocabulary is the tokenizer's, or padded to a multiple of 64 to 512, or with a little room for more", () => {
  assert.equal(trimmedVocabulary(6810, 6810), 6810);
  assert.equal(trimmedVocabulary(50304, 50257), 50257);
  assert.equal(trimmedVocabulary(6848, 6810), 6810);
  assert.equal(trimmedVocabulary(6912, 6810), 6810);
  assert.equal(trimmedVocabulary(10_240, 10_000), 10_000);
  assert.equal(trimmedVocabulary(151_936, 151_669), 151_669);
  for (const [model, tokenizer] of [
    [6811, 6810],
    [6809, 6810],
    [6976, 6810],
    [151_937, 151_669],
    [151_936, 150_000],
    [64, 6810],
  ] as const)
    assertRefused(
      () => trimmedVocabulary(model, tokenizer),
      new RegExp(`\\(${model} tokens,.*got one of ${tokenizer} tokens`),
    );
});
