import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { compileChatTemplate, jaiChatTemplate } from "../chat-template.js";
import { ModelError } from "../files/error.js";
import { byteTokenizer } from "../fixtures/model.js";
import { BYTES, CONTROLS, sentencePieceFile } from "../fixtures/sentencepiece.js";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import { ImportError } from "./checkpoint/error.js";
import { readModelFolderSource } from "./checkpoint/model-folder-source.js";
import { readTexts, type TextsQuestion } from "./texts.js";
import { readTokenizer } from "./tokenizer/index.js";

/** `<s>` is 1, `</s>` 2, the byte b 3 + b, and `▁a` comes after these. */
const sentencePiece = sentencePieceFile({
  pieces: [...CONTROLS, ...BYTES, ["▁", -1], ["a", -2], ["▁a", -3]],
  byteFallback: true,
});
const A = 3 + 256 + 2;

/** The texts of a folder with these files; an object is written as JSON. */
async function textsOf(
  t: TestContext,
  files: Record<string, string | Buffer | object>,
  question: Partial<TextsQuestion> = {},
) {
  const dir = mkdtempSync(join(tmpdir(), "jai-texts-"));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const [name, content] of Object.entries({ "model.safetensors": "", ...files }))
    writeFileSync(
      join(dir, name),
      typeof content === "string" || Buffer.isBuffer(content) ? content : JSON.stringify(content),
    );
  const texts = await readTexts(await readModelFolderSource(dir), await readTokenizer(dir), {
    promptStart: "files",
    isJai: false,
    ...question,
  });
  return { ...texts, dir, tokenizer: createTokenizer(JSON.parse(texts.text), texts.told.tokens) };
}

const rendered = ({ told }: Awaited<ReturnType<typeof textsOf>>) =>
  compileChatTemplate(told.chatTemplate!, told.tokens).render([{ role: "user", content: "a" }]);

test("a SentencePiece model's prompts begin with its first token, in codebases that begin them so", async (t) => {
  const files = { "tokenizer.model": sentencePiece };
  const ids = async (question: Partial<TextsQuestion>, config?: object) =>
    (
      await textsOf(t, { ...files, ...(config && { "tokenizer_config.json": config }) }, question)
    ).tokenizer.encode("a");
  assert.deepEqual(await ids({ promptStart: "always" }), [1, A]);
  assert.deepEqual(await ids({ promptStart: "sentencepiece" }), [1, A]);
  assert.deepEqual(await ids({ promptStart: "files" }), [A]);
  assert.deepEqual(await ids({ promptStart: "files" }, { add_bos_token: true }), [1, A]);
  assert.deepEqual(await ids({ promptStart: "files" }, { tokenizer_class: "LlamaTokenizer" }), [1, A]);
  for (const promptStart of ["always", "sentencepiece"] as const)
    assert.deepEqual(await ids({ promptStart }, { add_bos_token: false }), [A]);
});

test("a tokenizer.json begins texts as it says, unless the config beside it says otherwise", async (t) => {
  const plain = { ...byteTokenizer(), post_processor: null };
  const [eos] = createTokenizer(plain, {}).encode("[EOS]") as [number];
  const special = { SpecialToken: { id: "[EOS]", type_id: 0 } };
  const sequence = { Sequence: { id: "A", type_id: 0 } };
  const beginning = {
    ...plain,
    post_processor: {
      type: "Sequence",
      processors: [
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
        {
          type: "TemplateProcessing",
          single: [special, sequence],
          pair: [special, sequence, { Sequence: { id: "B", type_id: 1 } }],
          special_tokens: { "[EOS]": { id: "[EOS]", ids: [eos], tokens: ["[EOS]"] } },
        },
      ],
    },
  };
  const ids = async (tokenizer: object, config: object) => {
    const files = { "tokenizer.json": tokenizer, "tokenizer_config.json": { bos_token: "[EOS]", ...config } };
    return (await textsOf(t, files, { promptStart: "sentencepiece" })).tokenizer.encode("a");
  };
  assert.deepEqual(await ids(plain, {}), [97]);
  assert.deepEqual(await ids(plain, { add_bos_token: true }), [eos, 97]);
  assert.deepEqual(await ids(plain, { tokenizer_class: "LlamaTokenizerFast" }), [eos, 97]);
  assert.deepEqual(await ids(beginning, {}), [eos, 97]);
  assert.deepEqual(await ids(beginning, { add_bos_token: true }), [eos, 97]);
  assert.deepEqual(await ids(beginning, { add_bos_token: false }), [97]);
  assert.deepEqual(await ids(plain, { add_bos_token: true, bos_token: "<none>" }), [97]);
});

test("a file that nothing is changed in is written as it was", async (t) => {
  const text = JSON.stringify(byteTokenizer(), null, 3);
  assert.equal((await textsOf(t, { "tokenizer.json": text })).text, text);
});

test("all tokens that end a text are told: a list, a number, and the tokenizer's own", async (t) => {
  const ends = async (files: Record<string, object>) =>
    (await textsOf(t, { "tokenizer.json": byteTokenizer(), ...files })).told.eosIds;
  const own = { "tokenizer_config.json": { eos_token: "[/ANSWER]" } };
  const id = createTokenizer(byteTokenizer(), {}).tokenId("[/ANSWER]")!;
  assert.equal(await ends({}), undefined);
  assert.deepEqual(await ends(own), [id]);
  assert.deepEqual(await ends({ ...own, "generation_config.json": { eos_token_id: [7, 5, 7] } }), [7, 5, id]);
  assert.deepEqual(await ends({ "config.json": { eos_token_id: [7, 5] } }), [7, 5]);
  assert.deepEqual(
    await ends({ "config.json": { eos_token_id: 7 }, "generation_config.json": { eos_token_id: 5 } }),
    [5],
  );
  assert.deepEqual(await ends({ "generation_config.json": { eos_token_id: [1e9, -1, "5", null, 6] } }), [6]);
});

const oneOf = (text: string) => `${text}{{ messages[-1].content }}`;

test("a template is the one that is asked for, else chat_template.jinja, else tokenizer_config.json's default", async (t) => {
  const files: Record<string, string | object> = { "tokenizer.json": byteTokenizer() };
  const from = async (question: Partial<TextsQuestion> = {}) => {
    const texts = await textsOf(t, files, question);
    return [texts.chatTemplate, texts.told.chatTemplate];
  };
  assert.deepEqual(await from(), ["none", null]);
  assert.deepEqual(await from({ isJai: true }), ["default", jaiChatTemplate]);
  files["tokenizer_config.json"] = {
    chat_template: [
      { name: "tool_use", template: "no" },
      { name: "default", template: oneOf("config") },
    ],
  };
  assert.deepEqual(await from({ isJai: true }), ["found", oneOf("config")]);
  files["chat_template.jinja"] = oneOf("file");
  assert.deepEqual(await from(), ["found", oneOf("file")]);
  const { dir } = await textsOf(t, { ...files, "mine.txt": `\ufeff${oneOf("asked")}` });
  assert.deepEqual(await from({ asked: join(dir, "mine.txt") }), ["given", oneOf("asked")]);
  const [where, jai] = await from({ asked: "jai" });
  assert.deepEqual([where, jai], ["given", jaiChatTemplate]);
});

test("a template that is no file and no name, or that is hostile, is one line", async (t) => {
  const files = { "tokenizer.json": byteTokenizer() };
  const refused = async (asked: string, expected: RegExp) =>
    assert.rejects(textsOf(t, files, { asked }), (error: Error) => {
      assert.ok(error instanceof ImportError || error instanceof ModelError);
      assert.match(error.message, /^[^\n]+$/);
      assert.match(error.message, expected);
      return true;
    });
  await refused("chatlm", /^chatlm: expected a file .* names jai, chatml, .*, got no such file$/);
  const { dir } = await textsOf(t, {
    ...files,
    "endless.jinja": "{% for a in range(10**9) %}{% endfor %}",
    "cut.jinja": "{% for",
    "huge.jinja": " ".repeat(600_000),
  });
  await refused(join(dir, "endless.jinja"), /endless\.jinja: [^\n]*expected a shorter range/);
  await refused(join(dir, "cut.jinja"), /cut\.jinja: expected a Jinja template, got one that does not parse/);
  await refused(join(dir, "huge.jinja"), /expected a file of at most 524288 bytes, got 600000/);
  await refused(dir, /expected a regular file/);
});

test("a template beside the checkpoint that can't be used is refused with what to do, as is one that leaves the question out", async (t) => {
  const found = (template: string) =>
    textsOf(t, { "tokenizer.json": byteTokenizer(), "chat_template.jinja": template });
  await assert.rejects(
    found("{% include 'x' %}"),
    /does not parse: .*; choose another one with --chat-template$/,
  );
  for (const template of ["", "{{ messages | length }}"])
    await assert.rejects(
      found(template),
      /expected a template that writes the question, got one that leaves it out; /,
    );
  await found("{{ messages[0].content | upper }}");
});

test("control tokens that a template writes are found in texts, where the tokenizer's format finds none", async (t) => {
  const files = { "tokenizer.model": sentencePiece };
  const before = await textsOf(t, files, { promptStart: "always" });
  assert.ok(!before.tokenizer.encode("</s>").includes(2));
  const texts = await textsOf(t, files, { promptStart: "always", asked: "llama2" });
  const ids = texts.tokenizer.encode(rendered(texts), false);
  assert.deepEqual([ids[0], ids.filter((id) => id === 1).length], [1, 1]);
  assert.deepEqual(texts.tokenizer.encode("a</s>a", false), [A, 2, A]);
  assert.deepEqual(texts.told.eosIds, [2]);
});

test("a template with a name begins as the tokenizer's texts do, once", async (t) => {
  const files = { "tokenizer.model": sentencePiece };
  const start = async (promptStart: TextsQuestion["promptStart"]) => {
    const texts = await textsOf(t, files, { promptStart, asked: "chatml" });
    return texts.tokenizer
      .encode(rendered(texts), false)
      .slice(0, 2)
      .filter((id) => id === 1).length;
  };
  assert.deepEqual([await start("always"), await start("files")], [1, 0]);
});

test("what looks like a token in a template and is none is told", async (t) => {
  const files = { "tokenizer.json": byteTokenizer() };
  const markers = async (asked: string) => (await textsOf(t, files, { asked })).plainMarkers;
  assert.deepEqual(await markers("chatml"), ["<|im_start|>", "<|im_end|>"]);
  assert.deepEqual(await markers("jai"), []);
});
