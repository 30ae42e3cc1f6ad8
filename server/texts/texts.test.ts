import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ModelError } from "../../models/files/error.js";
import { readModelFolder } from "../../models/folder.js";
import { spellings } from "../../models/tokenizer/spellings.js";
import { createTokenizer } from "../../models/tokenizer/tokenizer.js";
import type { PublicError } from "../errors/errors.js";
import { VirtualClock } from "../queue/fixtures/virtual-clock.js";
import { Cancelled } from "../queue/refusal.js";
import { packageRoot } from "../settings/config.js";
import { Texts, type TextsOptions } from "./texts.js";

const folder = readModelFolder(join(packageRoot, "models/jai-small"));
const { tokenizer } = folder;
const chatTemplate = folder.chatTemplate!;
const filename = fileURLToPath(new URL("../../workers/read.js", import.meta.url));
const anna = { caller: "anna" };

/** `local` counts what is done in the calling thread. */
function open(context: TestContext, options: Partial<TextsOptions> = {}) {
  const local: string[] = [];
  const encode = (text: string) => {
    local.push(text);
    return tokenizer.encode(text);
  };
  const model = { tokenizer: { ...tokenizer, encode }, chatTemplate };
  const texts = new Texts({ filename, modelDir: folder.dir, model, ...options });
  context.after(() => texts.close());
  return { texts, local };
}

const long = "판교에서 React 개발자를 찾는 회사, 아무거나! \ud800 👩‍💻 [QUESTION] ".repeat(200);

test("long texts get the same tokens in the other thread as in this one", async (context) => {
  const { texts, local } = open(context);
  const reader = texts.reader(anna);
  const ids = tokenizer.encode(long);
  assert.deepEqual(await reader.encode([long, "", "a"]), [ids, [], tokenizer.encode("a")]);
  assert.equal(await reader.decode(ids), tokenizer.decode(ids));
  assert.deepEqual(await reader.spell(ids), spellings(tokenizer, ids));
  assert.deepEqual(local, []);
});

test("a character that the model doesn't know is the sender's mistake, in a short text and a long one", async (context) => {
  const dir = mkdtempSync(join(tmpdir(), "jai-texts-"));
  context.after(() => rmSync(dir, { recursive: true }));
  cpSync(folder.dir, dir, { recursive: true });
  const others = Array.from({ length: tokenizer.size - 5 }, (_, i) => String.fromCodePoint(0xe000 + i));
  const tokens = [..."abc ", "<|end|>", ...others];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const model = { type: "BPE", vocab, merges: [], jai: { refuses_unknown: true } };
  writeFileSync(join(dir, "tokenizer.json"), JSON.stringify({ model, decoder: { type: "Fuse" } }));
  const characters = createTokenizer({ model }, {});
  const texts = new Texts({ filename, modelDir: dir, model: { tokenizer: characters, chatTemplate } });
  context.after(() => texts.close());
  const reader = texts.reader(anna);
  for (const text of ["ab?c", `${"abc ".repeat(400)}?`]) {
    await assert.rejects(reader.encode([text]), (error: PublicError) => {
      assert.equal(error.code, "invalid_body");
      assert.match(
        JSON.stringify(error.body),
        /expected characters that the model was trained on, got .*U\+003F/,
      );
      return true;
    });
    assert.deepEqual(await reader.encode(["abc"]), [[0, 1, 2]]);
  }
});

test("short texts are done at once", async (context) => {
  const { texts, local } = open(context, { filename: "/no/such/entry.js" });
  const reader = texts.reader(anna);
  assert.deepEqual(await reader.encode(["서울", "a"]), [tokenizer.encode("서울"), tokenizer.encode("a")]);
  assert.deepEqual(local, ["서울", "a"]);
  assert.equal(await reader.decode([5, 6]), tokenizer.decode([5, 6]));
  const question = [{ role: "user", content: "서울" }] as const;
  assert.equal(await reader.render(question), chatTemplate.render(question, { addGenerationPrompt: true }));
});

test("long conversations are rendered alike, and the template's refusal comes back", async (context) => {
  const { texts } = open(context);
  const reader = texts.reader(anna);
  const many = Array.from({ length: 3000 }, () => ({ role: "user" as const, content: "서울" }));
  assert.equal(await reader.render(many), chatTemplate.render(many, { addGenerationPrompt: true }));
  const refused = reader.render([...many, { role: "system", content: "x" }]);
  await assert.rejects(
    refused,
    (error) => error instanceof ModelError && /expected a system message at the start/.test(error.message),
  );
});

test("callers take turns with long texts", async (context) => {
  const { texts } = open(context);
  const done: string[] = [];
  const ask = (caller: string) =>
    texts
      .reader({ caller })
      .encode([long])
      .then(() => done.push(caller));
  await Promise.all([ask("anna"), ask("anna"), ask("anna"), ask("ben")]);
  // Anna's first has begun when the others come.
  assert.deepEqual(done, ["anna", "anna", "ben", "anna"]);
});

test("a client that leaves gives up its turn, and the next goes on", async (context) => {
  const { texts } = open(context);
  const leaving = new AbortController();
  const first = texts.reader(anna).encode([long]);
  const left = texts.reader({ ...anna, signal: leaving.signal }).encode([long]);
  const next = texts.reader(anna).encode([long]);
  leaving.abort(new Cancelled());
  await assert.rejects(left, Cancelled);
  await assert.rejects(texts.reader({ ...anna, signal: leaving.signal }).encode([long]), Cancelled);
  assert.deepEqual(await first, await next);
});

test("a text that takes too long is refused, and a new thread takes the next", async (context) => {
  const clock = new VirtualClock();
  const { texts } = open(context, { clock, seconds: 3 });
  const slow = texts.reader(anna).encode(["ab".repeat(2_000_000)]);
  const refused = assert.rejects(slow, (error: PublicError) => error.code === "invalid_body");
  while (clock.timers.size === 0) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(3000);
  await refused;
  assert.deepEqual(await texts.reader(anna).encode([long]), [tokenizer.encode(long)]);
});

test("what has no place in the queue takes one here", async (context) => {
  const { texts } = open(context, { places: 1 });
  let leave = () => {};
  const held = texts.withPlace(
    "anna",
    () =>
      new Promise<void>((resolve) => {
        leave = resolve;
      }),
  );
  const refused = texts.withPlace("ben", async () => {});
  await assert.rejects(
    refused,
    (error: PublicError) => error.code === "overloaded" && error.retryAfter === 1,
  );
  leave();
  await held;
  assert.equal(await texts.withPlace("ben", async () => 5), 5);
});

test("closing refuses those who wait", async (context) => {
  const { texts } = open(context);
  const waiting = [1, 2].map(() => texts.reader(anna).encode([long]));
  const refused = waiting.map((one) => assert.rejects(one, Cancelled));
  await texts.close();
  await Promise.all(refused);
  await assert.rejects(texts.reader(anna).encode([long]), Cancelled);
});
