// Ending a thread inside an ONNX Runtime run kills the process. These tests start processes that end while threads run.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { readModelFolder } from "../../models/folder.js";
import { renderSelfTest, SELF_TEST_FILE } from "../../models/self-test.js";

const folder = mkdtempSync(join(tmpdir(), "jai-exit-"));
const [model, wrong] = [join(folder, "model"), join(folder, "wrong")];
before(async () => {
  await writeFixtureModel(model, "int8");
  cpSync(model, wrong, { recursive: true });
  const test = readModelFolder(wrong).selfTest!;
  const logits = test.logits.map((_, i) => (i % 7) - 3);
  writeFileSync(join(wrong, SELF_TEST_FILE), JSON.stringify(renderSelfTest({ ...test, logits })));
});
after(() => rmSync(folder, { recursive: true }));

async function run(program: string, environment: Readonly<Record<string, string>> = {}) {
  const source = `import { openModel } from ${JSON.stringify(new URL("./index.js", import.meta.url).href)};\n${program}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code, signal] = await once(child, "close");
  return { code, signal, output: (await output).join("") };
}

test("a program can exit while texts are generated", async () => {
  const { code, signal, output } = await run(`
    const model = await openModel(${JSON.stringify(model)}, { workers: 2 });
    const streams = [1, 2, 3, 4].map((seed) => model.stream({ prompt: "x", maxTokens: 4000, ignoreEos: true, seed }));
    for await (const piece of streams[0]) process.exit(7);
  `);
  assert.deepEqual([code, signal], [7, null], output);
});

test("a program that exits leaves no copy of the weights behind", async () => {
  const temporary = join(folder, "temporary");
  mkdirSync(temporary);
  const source = `
    const [one] = await Promise.all([1, 2].map(() => openModel(${JSON.stringify(model)}, { workers: 1 })));
    await one.close();
    process.exit(7);
  `;
  const { code, output } = await run(source, { TMPDIR: temporary, TEMP: temporary });
  assert.equal(code, 7, output);
  assert.deepEqual(readdirSync(temporary), []);
});

test("closing a model while texts are generated lets the program go on", async () => {
  const { code, signal, output } = await run(`
    const model = await openModel(${JSON.stringify(model)}, { workers: 2 });
    const streams = [1, 2, 3, 4].map((seed) => model.stream({ prompt: "x", maxTokens: 4000, ignoreEos: true, seed }));
    for (const { result } of streams) result.catch(() => {});
    for await (const piece of streams[0]) break;
    await model.close({ drainSeconds: 0 });
    console.log("goes on");
  `);
  assert.deepEqual([code, signal, output], [0, null, "goes on\n"]);
});

test("a program waits for a text whose worker has died", async () => {
  const death = join(folder, "death");
  const source = `
    import { writeFileSync, renameSync } from "node:fs";
    const model = await openModel(${JSON.stringify(model)}, { workers: 1 });
    const stream = model.stream({ prompt: "x", maxTokens: 300, ignoreEos: true, seed: 1 });
    let tokens = 0;
    for await (const piece of stream) {
      if (tokens === 0) {
        writeFileSync(${JSON.stringify(`${death}.new`)}, "exit");
        renameSync(${JSON.stringify(`${death}.new`)}, ${JSON.stringify(death)});
      }
      tokens += piece.tokens;
    }
    console.log(tokens);
    await model.close();
  `;
  const { code, signal, output } = await run(source, {
    NODE_OPTIONS: `--import ${new URL("../fixtures/mortal.js", import.meta.url).href}`,
    JAI_TEST_DEATH: death,
  });
  assert.deepEqual([code, signal, output], [0, null, "300\n"]);
  assert.equal(existsSync(death), false);
});

test("a self-test that fails while other workers load only rejects; the program goes on", async () => {
  const { code, signal, output } = await run(`
    await openModel(${JSON.stringify(wrong)}, { workers: 4, threads: 1 }).catch(({ message }) => console.log(message));
    console.log("goes on");
  `);
  assert.deepEqual([code, signal], [0, null], output);
  assert.match(output, /^model folder \S+: self-test: expected [^\n]+\ngoes on\n$/);
});
