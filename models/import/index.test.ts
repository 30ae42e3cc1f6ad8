import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { asNobody } from "../../ops/as-nobody.js";
import { checkpoint } from "../fixtures/checkpoint-writer.js";
import { gpt } from "../fixtures/gpt.js";
import { byteTokenizer, FIXTURE_SIZES } from "../fixtures/model.js";
import { ImportError } from "./checkpoint/error.js";
import { importCheckpoint } from "./index.js";

const { vocab } = FIXTURE_SIZES;
const ckpt = checkpoint({
  cfg: { block_size: 6, n_layer: 1, n_head: 2, n_embd: 8, dropout: 0 },
  model: gpt({ vocab, layers: 1 }),
});

/** A folder with a checkpoint and a tokenizer, and `work/` for models. */
function sources(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "jai-import-"));
  t.after(() => rmSync(root, { recursive: true }));
  const at = (...parts: string[]) => join(root, ...parts);
  writeFileSync(at("ckpt.pt"), ckpt);
  writeFileSync(at("tokenizer.json"), JSON.stringify(byteTokenizer()));
  mkdirSync(at("work"));
  const options = (out: string) => ({
    checkpoint: at("ckpt.pt"),
    tokenizer: at("tokenizer.json"),
    out: at("work", out),
    precision: "int8" as const,
  });
  return { at, options, left: () => readdirSync(at("work"), { recursive: true, encoding: "utf8" }) };
}

async function refuses(work: Promise<unknown>, expected: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof ImportError, String(error));
    assert.match(error.message, /^[^\n]*work[^\n]+$/);
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /importing-/);
    return true;
  });
}

test("an imported model can be read by whoever may read its folder, whatever the sources' modes", async (t) => {
  const { at, options } = sources(t);
  chmodSync(at("tokenizer.json"), 0o600);
  await importCheckpoint(options("m"));
  const mode = (name: string) => statSync(at("work/m", name)).mode & 0o777;
  assert.equal(mode("tokenizer.json"), 0o666 & ~process.umask());
  assert.equal(mode("tokenizer.json"), mode("config.json"));
});

test("a tokenizer.json that an editor on Windows has written is imported, and written without its byte order mark", async (t) => {
  const { at, options } = sources(t);
  const text = JSON.stringify(byteTokenizer(), null, 2).replaceAll("\n", "\r\n");
  writeFileSync(at("tokenizer.json"), `\ufeff${text}`);
  await importCheckpoint(options("m"));
  assert.equal(readFileSync(at("work/m/tokenizer.json"), "utf8"), text);
});

test("JAI's own family gets its chat template, another one none, unless one is asked for", async (t) => {
  const { at, options } = sources(t);
  const written = (out: string) =>
    JSON.parse(readFileSync(at("work", out, "tokenizer_config.json"), "utf8")).chat_template;
  assert.equal((await importCheckpoint(options("jai"))).chatTemplate, "default");
  assert.match(written("jai"), /\[QUESTION\]/);
  const model_args = { block_size: 6, n_layer: 1, n_head: 2, n_embd: 8, bias: true };
  const nano = checkpoint({ model_args, model: gpt({ vocab, layers: 1, dialect: "nanogpt" }) });
  writeFileSync(at("ckpt.pt"), nano);
  assert.equal((await importCheckpoint(options("nano"))).chatTemplate, "none");
  assert.equal(written("nano"), null);
  const asked = await importCheckpoint({ ...options("asked"), chatTemplate: "chatml" });
  assert.deepEqual([asked.chatTemplate, asked.plainMarkers], ["given", ["<|im_start|>", "<|im_end|>"]]);
  assert.match(written("asked"), /im_start/);
});

test("--tokenizer may be a folder, whose chat template and end token count, while a file stands alone", async (t) => {
  const { at, options } = sources(t);
  const model_args = { block_size: 6, n_layer: 1, n_head: 2, n_embd: 8, bias: true };
  writeFileSync(
    at("ckpt.pt"),
    checkpoint({ model_args, model: gpt({ vocab, layers: 1, dialect: "nanogpt" }) }),
  );
  mkdirSync(at("words"));
  const tokenizer = at("words/tokenizer.json");
  writeFileSync(tokenizer, JSON.stringify(byteTokenizer()));
  const chat_template = "{{ messages[-1].content }}\nA:";
  const config = { chat_template, eos_token: "[/ANSWER]", bos_token: "[QUESTION]" };
  writeFileSync(at("words/tokenizer_config.json"), JSON.stringify(config));
  const told = async (out: string, path: string) => {
    const { chatTemplate } = await importCheckpoint({ ...options(out), tokenizer: path });
    const { chat_template: template, eos_token } = JSON.parse(
      readFileSync(at("work", out, "tokenizer_config.json"), "utf8"),
    );
    return [chatTemplate, template, eos_token];
  };
  assert.deepEqual(await told("folder", at("words")), ["found", chat_template, "[/ANSWER]"]);
  assert.deepEqual(await told("file", tokenizer), ["none", null, "[EOS]"]);
});

test("a checkpoint that is refused is so before its tokenizer is asked for", async (t) => {
  const { at, options } = sources(t);
  writeFileSync(at("ckpt.pt"), "nothing");
  const work = importCheckpoint({ ...options("m"), tokenizer: at("none") });
  await assert.rejects(work, /^ImportError: \S*ckpt\.pt: expected a PyTorch checkpoint/);
});

test("a hostile chat template is one line, and leaves nothing behind", async (t) => {
  const { at, options, left } = sources(t);
  writeFileSync(
    at("endless.jinja"),
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
  );
  const work = importCheckpoint({ ...options("m"), chatTemplate: at("endless.jinja") });
  await assert.rejects(work, /^ImportError: \S*endless\.jinja: [^\n]*it takes too much time or text[^\n]*$/);
  assert.deepEqual(left(), []);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} midway leaves nothing behind`, {
    skip: process.platform === "win32" && "needs POSIX",
  }, async (t) => {
    const { options, left } = sources(t);
    const script = `
      import { importCheckpoint } from ${JSON.stringify(new URL("./index.js", import.meta.url))};
      const onProgress = () => process.kill(process.pid, "${signal}");
      await importCheckpoint({ ...${JSON.stringify(options("a/m"))}, onProgress });
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
    const [code] = await once(child, "exit");
    assert.equal(code, 128 + { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[signal]);
    assert.deepEqual(left(), []);
  });
}

test("a program with a handler of its own for a signal goes on, and its import fails and leaves nothing behind", {
  skip: process.platform === "win32",
}, async (t) => {
  const { options, left } = sources(t);
  let heard = 0;
  const listener = () => void heard++;
  process.on("SIGHUP", listener);
  t.after(() => process.off("SIGHUP", listener));
  const onProgress = () => void process.kill(process.pid, "SIGHUP");
  await assert.rejects(importCheckpoint({ ...options("m"), onProgress }));
  assert.ok(heard > 0);
  assert.deepEqual(left(), []);
});

test("a failed import removes the folders that it made above the model, and no others", async (t) => {
  const { at, options, left } = sources(t);
  const onProgress = () => {
    throw new Error("stopped");
  };
  await assert.rejects(importCheckpoint({ ...options("a/b/m"), onProgress }), /^Error: stopped$/);
  assert.deepEqual(left(), []);

  mkdirSync(at("work/a"));
  await assert.rejects(importCheckpoint({ ...options("a/b/m"), onProgress }), /^Error: stopped$/);
  assert.deepEqual(left(), ["a"]);

  const busy = () => {
    writeFileSync(at("work/a/b/other"), "");
    onProgress();
  };
  await assert.rejects(importCheckpoint({ ...options("a/b/c/m"), onProgress: busy }), /^Error: stopped$/);
  assert.deepEqual(left().sort(), ["a", "a/b", "a/b/other"]);
});

test("of two imports to one place the slower is refused, and spoils nothing", async (t) => {
  const { options, left } = sources(t);
  const results = await Promise.allSettled([importCheckpoint(options("m")), importCheckpoint(options("m"))]);
  const refused = results.find((result) => result.status === "rejected");
  await refuses(
    Promise.reject(refused?.reason),
    /expected a folder that doesn't exist yet, got one that does; remove it, or choose another --out$/,
  );
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  assert.ok(left().includes(join("m", "onnx", "model.onnx")));
  assert.deepEqual(
    left().filter((name) => name.includes("importing")),
    [],
  );
});

test("an --out that is a link to nothing is refused", async (t) => {
  const { at, options } = sources(t);
  symlinkSync(at("nowhere"), at("work/m"));
  await refuses(
    importCheckpoint(options("m")),
    /expected a folder that doesn't exist yet, got one that does; remove it, or choose another --out$/,
  );
});

test("an --out below a file or a link to nothing is refused by that place", async (t) => {
  const { at, options, left } = sources(t);
  writeFileSync(at("work/file"), "");
  symlinkSync(at("nowhere"), at("work/link"));
  for (const out of ["file/m", "file/a/m"]) {
    await refuses(importCheckpoint(options(out)), /: expected a folder at \S+work.file, got a file$/);
  }
  symlinkSync(at("work/file"), at("work/other"));
  await refuses(importCheckpoint(options("other/m")), /: expected a folder at \S+work.other, got a file$/);
  for (const out of ["link/m", "link/a/m"]) {
    await refuses(importCheckpoint(options(out)), /: expected a folder at \S+work.link, got a link to none$/);
  }
  assert.deepEqual(left().sort(), ["file", "link", "other"]);
});

test("an --out that the system refuses is one line, with nothing left behind", async (t) => {
  const { options, left } = sources(t);
  const long = "x".repeat(300);
  await refuses(importCheckpoint(options(long)), /: expected a place for a new folder, got ENAMETOOLONG \(/);
  await refuses(importCheckpoint(options(`a/${"x".repeat(250)}`)), /got ENAMETOOLONG \(/);
  assert.deepEqual(left(), []);
});

test("an --out on a file system that takes no folders is one line", {
  skip: process.platform !== "linux" && "needs Linux",
}, async (t) => {
  const { options } = sources(t);
  for (const out of ["/proc/my-work", "/proc/my-work/a/m"])
    await refuses(
      importCheckpoint({ ...options("m"), out }),
      /: expected a place for a new folder, got ENOENT \(/,
    );
});

test("an --out where this user may not write is one line", {
  skip: process.platform === "win32" && "needs POSIX",
}, async (t) => {
  const { at, options } = sources(t);
  chmodSync(at("work"), 0o555);
  await asNobody([at("."), at("work")], () =>
    refuses(
      importCheckpoint(options("m")),
      /: expected a place for a new folder, got EACCES \(permission denied\)$/,
    ),
  );
  chmodSync(at("work"), 0o755);
});
