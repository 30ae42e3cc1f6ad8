// `jai import hf:…`, against a hub on this machine.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { fakeHub, refuse, sha256 } from "../../models/fixtures/hub.js";
import { llamaFiles } from "../../models/fixtures/llama.js";

const cli = fileURLToPath(new URL("../cli.js", import.meta.url));
const files = llamaFiles();
const weights = files["model.safetensors"]!;
const large = sha256(weights);

async function setUp(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "jai-import-hub-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const hub = await fakeHub(t, files);
  const start = (...args: string[]) => {
    const env = { PATH: process.env.PATH, HF_ENDPOINT: hub.url, HF_HOME: join(folder, "home") };
    const child = spawn(process.execPath, [cli, "import", ...args, "--precision", "fp32"], {
      cwd: folder,
      env,
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (text) => (output.stdout += text));
    child.stderr.on("data", (text) => (output.stderr += text));
    return { child, output };
  };
  const jai = async (...args: string[]) => {
    const { child, output } = start(...args);
    const [status] = await once(child, "close");
    return { status, ...output };
  };
  return { folder, hub, start, jai };
}

test("a hub's model is imported as the same files in a folder are", async (t) => {
  const { folder, hub, jai } = await setUp(t);
  mkdirSync(join(folder, "here"));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, "here", name), bytes);
  const local = await jai("here", "--out", "a/model");
  const remote = await jai("hf:acme/tiny", "--out", "b/model");
  assert.deepEqual([local.status, remote.status], [0, 0], remote.stderr);
  assert.equal(local.stderr, "");
  assert.match(remote.stderr, /^downloading: \d+ % of \d+\.\d KiB/);
  const names = readdirSync(join(folder, "a/model"), { recursive: true, encoding: "utf8" });
  assert.deepEqual(readdirSync(join(folder, "b/model"), { recursive: true, encoding: "utf8" }), names);
  for (const name of names.filter((name) => /\.\w+$/.test(name)))
    assert.deepEqual(
      readFileSync(join(folder, "b/model", name)),
      readFileSync(join(folder, "a/model", name)),
      name,
    );

  const before = hub.sent;
  const again = await jai("hf:acme/tiny", "--out", "c", "--tokenizer", "hf:acme/tiny/tokenizer.json");
  assert.deepEqual([again.status, again.stderr, hub.sent], [0, "", before]);
});

test("an import that is killed while it downloads goes on the next time, and only the rest is sent", async (t) => {
  const { folder, hub, start, jai } = await setUp(t);
  // Half of the file, and then nothing.
  hub.instead.set(large, (_, response) => {
    response.writeHead(200, { "content-length": weights.length });
    response.write(weights.subarray(0, weights.length / 2));
  });
  const { child } = start("hf:acme/tiny", "--out", "model");
  // The first line comes once bytes are on the disk.
  await once(child.stderr, "data");
  child.kill("SIGKILL");
  await once(child, "close");
  assert.deepEqual(readdirSync(folder), ["home"]);

  hub.instead.clear();
  hub.seen.length = 0;
  const { status, stderr } = await jai("hf:acme/tiny", "--out", "model");
  assert.equal(status, 0, stderr);
  const asked = hub.seen.filter(({ host }) => host === "files").map(({ range }) => range);
  assert.equal(asked.length, 1);
  const from = Number(/^bytes=(\d+)-$/.exec(asked[0] ?? "")?.[1]);
  assert.ok(from > 0 && from <= weights.length / 2, asked[0]);
  const others = Object.values(files).reduce((sum, { length }) => sum + length, 0) - weights.length;
  assert.equal(hub.sent, weights.length - from + others);
});

test("a failed download is one line and exit status 1, and leaves no model folder", async (t) => {
  const { folder, hub, jai } = await setUp(t);
  hub.instead.set(large, (_, response) => refuse(response, 404, "EntryNotFound"));
  const { status, stdout, stderr } = await jai("hf:acme/tiny", "--out", "deep/model");
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(
    stderr,
    /^hf:acme\/tiny: expected a file or a folder of the model, got one that \S+ doesn't have\n$/,
  );
  assert.ok(!existsSync(join(folder, "deep")));
  // What is in the way is found before anything is downloaded.
  hub.seen.length = 0;
  const taken = await jai("hf:acme/tiny", "--out", ".");
  assert.equal(taken.status, 1);
  assert.deepEqual(hub.seen, []);
});
