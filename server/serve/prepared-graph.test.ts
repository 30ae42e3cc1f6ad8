import assert from "node:assert/strict";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { type ModelFolder, readModelFolder } from "../../models/folder.js";
import { modelShape } from "../../models/shape.js";
import { Reader } from "../../workers/engine/reader.js";
import { OnnxSession } from "../../workers/onnx/session.js";
import { preparedGraph } from "./prepared-graph.js";

const base = mkdtempSync(join(tmpdir(), "jai-prepared-"));
const source = join(base, "model of a 한글 folder");
before(() => writeFixtureModel(source, "int8"));
after(() => rmSync(base, { recursive: true }));

let folders = 0;
/** A model and an empty folder, with spaces in both. */
function given() {
  const dir = join(base, `model ${folders}`);
  cpSync(source, dir, { recursive: true });
  const folder = join(base, `weights ${folders++}`);
  const model = readModelFolder(dir);
  const prepare = (signal = new AbortController().signal) =>
    preparedGraph({ model, folder, signal, leastBytes: 1 });
  return { model, folder, prepare };
}

/** The logits of a prompt, on one session and on two threads. */
async function logits(file: string, { config }: ModelFolder, prepared: boolean): Promise<Float32Array[]> {
  const shape = modelShape(config);
  const results: Float32Array[] = [];
  for (const threads of [1, 2]) {
    const session = await OnnxSession.open(file, shape, { device: "cpu", deviceId: 0, threads, prepared });
    const reader = new Reader(session, shape, 3);
    for (const chunk of [20, 1, 1])
      results.push(
        (await reader.read(Int32Array.from({ length: 3 * chunk }, (_, i) => (i * 7) % 200))).logits,
      );
    await session.close();
  }
  return results;
}

for (const precision of ["int8", "fp32"] as const)
  test(`a copy of an ${precision} model computes the bits that the model does`, async () => {
    const dir = join(base, precision);
    await writeFixtureModel(dir, precision);
    const model = readModelFolder(dir);
    const copy = await preparedGraph({
      model,
      folder: join(base, `${precision} copy`),
      signal: new AbortController().signal,
      leastBytes: 1,
    });
    assert.deepEqual(await logits(copy!, model, true), await logits(model.graphPath, model, false));
  });

test("a copy is used again until the model is another one, and then replaced", async () => {
  const { model, folder, prepare } = given();
  mkdirSync(join(folder, "0123456789abcdef.unfinished-a1b2c3"), { recursive: true });
  const first = await prepare();
  assert.deepEqual(readdirSync(folder), [basename(dirname(first!))]);
  writeFileSync(join(dirname(first!), "mark"), "");
  assert.equal(await prepare(), first);
  assert.ok(existsSync(join(dirname(first!), "mark")));

  utimesSync(model.graphPath, 1, 1);
  const second = await prepare();
  assert.notEqual(second, first);
  assert.equal(readdirSync(folder).length, 1);
});

test("a copy whose removal was cut off is made again", async () => {
  const { folder, prepare } = given();
  const copy = (await prepare())!;
  rmSync(copy);
  assert.equal(await prepare(), copy);
  rmSync(dirname(copy), { recursive: true });
  writeFileSync(dirname(copy), "");
  assert.equal(await prepare(), copy);
  assert.deepEqual(readdirSync(folder), [basename(dirname(copy))]);
});

test("what others keep in the folder stays", async () => {
  const { folder, prepare } = given();
  mkdirSync(folder);
  writeFileSync(join(folder, "ckpt.pt"), "");
  await prepare();
  assert.ok(existsSync(join(folder, "ckpt.pt")));
});

test("an option that makes this process wait for a debugger leaves the preparation alone", async (t) => {
  const { prepare } = given();
  const { NODE_OPTIONS } = process.env;
  t.after(() => {
    if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = NODE_OPTIONS;
  });
  process.env.NODE_OPTIONS = "--inspect-brk=127.0.0.1:0";
  assert.ok(await prepare(AbortSignal.timeout(30_000)));
});

test("a small model gets no copy", async () => {
  const { model, folder } = given();
  const { signal } = new AbortController();
  assert.equal(await preparedGraph({ model, folder, signal }), null);
  assert.equal(existsSync(folder), false);
});

test("a graph that can't be read leaves nothing, and is one line", async () => {
  const { model, folder, prepare } = given();
  writeFileSync(model.graphPath, "no graph");
  await assert.rejects(prepare(), (error: Error) => {
    assert.match(error.message, /^[^\n]*model\.onnx[^\n]*$/);
    return true;
  });
  assert.deepEqual(readdirSync(folder), []);
});

test("a preparation that a killed server left behind spoils nothing of the next", async () => {
  const { model, folder, prepare } = given();
  mkdirSync(folder);
  const watcher = watch(folder);
  const left = assert.rejects(prepare());
  // It writes into its folder, which the next start removes, as that of a server that is gone.
  await once(watcher, "change");
  watcher.close();
  const copy = await prepare();
  await left;
  assert.deepEqual(readdirSync(folder), [basename(dirname(copy!))]);
  assert.deepEqual(await logits(copy!, model, true), await logits(model.graphPath, model, false));
});

test("a disk with too little room gets no copy, and is told how much it lacks", async () => {
  const { model, folder } = given();
  const { signal } = new AbortController();
  const large = { graphPath: model.graphPath, modelBytes: 2 ** 52 };
  await assert.rejects(
    preparedGraph({ model: large, folder, signal }),
    /^Error: expected 12884902912 MiB of free disk at .*weights \d+, of which 1024 stay free, got \d+ MiB$/,
  );
  assert.deepEqual(readdirSync(folder), []);
});

test("a stop ends the preparation and leaves nothing", async () => {
  const { folder, prepare } = given();
  const stop = new AbortController();
  const preparing = prepare(stop.signal);
  stop.abort();
  await assert.rejects(preparing);
  assert.deepEqual(readdirSync(folder), []);
});
