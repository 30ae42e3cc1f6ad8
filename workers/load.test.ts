// A worker's start, and on which of its sessions it then runs, with real sessions of which each run is noted.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeFixtureModel } from "../models/fixtures/model.js";
import type { CacheArray } from "./engine/cache/plane.js";
import { generate } from "./engine/fixtures/asking.js";
import { Said } from "./engine/speculation/said.js";
import type { StepInputs, StepOutputs } from "./engine/step-session.js";
import { Gauges } from "./gauges.js";
import { Halt } from "./halt.js";
import { type LoadOptions, load } from "./load.js";
import { Occupancy } from "./occupancy.js";
import { prepareGraph } from "./onnx/prepare.js";
import { OnnxSession } from "./onnx/session.js";
import { Progress } from "./progress.js";
import type { WorkerSetup } from "./protocol.js";

const folder = mkdtempSync(join(tmpdir(), "jai-load-"));
before(() => writeFixtureModel(folder, "int8"));
after(() => rmSync(folder, { recursive: true }));

type Spoil = (outputs: StepOutputs, inputs: StepInputs) => void;

interface Given {
  index?: number;
  threadsAlone?: number;
  prepared?: string;
  /** How long a run takes on each session. */
  ms?: { narrow: number; wide: number };
  /** What becomes of the wide session's outputs. */
  spoil?: Spoil;
  /** What becomes of every session's outputs. */
  spoilAll?: Spoil;
}

/** One of two workers, with a session of one thread, and one of two for the time when it is alone. */
async function start(context: { after(fn: () => Promise<void>): void }, given: Given = {}) {
  const {
    index = 0,
    threadsAlone = 2,
    ms = { narrow: 2, wide: 1 },
    spoil,
    spoilAll,
    prepared = null,
  } = given;
  const occupancy = Occupancy.for(2);
  const runs = { narrow: 0, wide: 0 };
  const chunks: number[] = [];
  const open = new Set<"narrow" | "wide">();
  let now = 0;
  const openWatched: LoadOptions["open"] = async (file, shape, options) => {
    const session = await OnnxSession.open(file, shape, options);
    const width = options.threads === 1 ? "narrow" : "wide";
    open.add(width);
    const close = async () => {
      if (open.delete(width)) await session.close();
    };
    context.after(close);
    const run = async (inputs: StepInputs) => {
      assert.ok(open.has(width));
      runs[width]++;
      chunks.push(inputs.chunk);
      now += ms[width];
      const outputs = await session.run(inputs);
      if (width === "wide") spoil?.(outputs, inputs);
      spoilAll?.(outputs, inputs);
      return outputs;
    };
    return { run, close };
  };
  const setup: WorkerSetup = {
    modelDir: folder,
    prepared,
    device: "cpu",
    deviceIds: [0, 0],
    claims: new SharedArrayBuffer(8),
    halt: Halt.for(2).buffer,
    occupancy: occupancy.buffer,
    progress: Progress.for(2).buffer,
    gauges: Gauges.for(2, 2).buffers,
    slots: 2,
    keptPrefixes: 1,
    threads: 1,
    threadsAlone,
    contextStride: 16,
    speculation: false,
  };
  const loaded = await load({ setup, index, deviceId: 0, open: openWatched, now: () => now });
  /** Writes a text of this many tokens. Says how many runs each session made for it, and of how many tokens each was. */
  const write = async (tokens: number, said: Said | null = null) => {
    Object.assign(runs, { narrow: 0, wide: 0 });
    chunks.length = 0;
    const { generated, draftedTokens } = await generate(loaded.engine, {
      promptIds,
      maxTokens: tokens,
      said,
    });
    return { ...runs, chunks: [...chunks], text: generated, draftedTokens };
  };
  return { ...loaded, occupancy, open, write };
}

const promptIds = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % 256);

async function copyOf(model: string): Promise<string> {
  const copy = mkdtempSync(join(model, "copy-"));
  await prepareGraph(join(model, "onnx", "model.onnx"), copy);
  return copy;
}
function flip(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
}
function replaceByFolder(file: string): void {
  rmSync(file);
  mkdirSync(file);
}
const damages: [damage: (copy: string) => void, reason: RegExp][] = [
  [(copy) => flip(join(copy, "model.onnx_data")), /checksum/],
  [(copy) => flip(join(copy, "model.onnx")), /checksum/],
  [(copy) => truncateSync(join(copy, "model.onnx_data"), 100), /checksum/],
  [(copy) => rmSync(join(copy, "model.onnx_data")), /no such file/],
  [(copy) => replaceByFolder(join(copy, "crc32")), /is no file/],
  // As an earlier version wrote it.
  [(copy) => rmSync(join(copy, "crc32")), /no such file/],
];

test("a copy of the weights that can't be used is removed, and the worker loads the model itself", async (context) => {
  const { text } = await (await start(context)).write(20);
  for (const [damage, reason] of damages) {
    const copy = await copyOf(folder);
    damage(copy);
    const { remark, write } = await start(context, { prepared: join(copy, "model.onnx") });
    assert.match(
      remark!,
      /^the copy of the weights for this machine can't be used, and this worker has its own: [^\n]+$/,
    );
    assert.match(remark!, reason);
    assert.equal(existsSync(copy), false);
    assert.equal((await write(20)).text, text);
  }
});

test("a whole copy of the weights is used", async (context) => {
  const copy = await copyOf(folder);
  const { remark } = await start(context, { prepared: join(copy, "model.onnx") });
  assert.equal(remark, undefined);
  assert.ok(existsSync(copy));
});

test("a worker runs on its wide session while no other has work, and on the narrow one while another has", async (context) => {
  const { occupancy, write, remark } = await start(context);
  assert.equal(remark, undefined);
  await write(100);
  const alone = await write(30);
  assert.ok(alone.wide > 25, `${alone.wide} runs`);

  occupancy.enter(1);
  const beside = await write(30);
  assert.equal(beside.wide, 0);
  assert.ok(beside.narrow >= 30, `${beside.narrow} runs`);

  // Its own sequences are no other's.
  occupancy.enter(0);
  occupancy.leave(1);
  const again = await write(30);
  assert.ok(again.wide > 25, `${again.wide} runs`);
  assert.deepEqual([beside.text, again.text], [alone.text, alone.text]);
});

test("a lone worker whose wide session is faster tries the narrow one, and returns", async (context) => {
  const { write } = await start(context, { ms: { narrow: 2, wide: 1 } });
  await write(100);
  const { narrow, wide } = await write(1500);
  assert.ok(narrow > 0 && narrow < wide / 10, `${narrow} narrow runs, ${wide} wide ones`);
});

test("a lone worker whose wide session is slower finds out, and stays with the narrow one", async (context) => {
  const { write } = await start(context, { ms: { narrow: 1, wide: 3 } });
  const first = await write(200);
  const later = await write(400);
  assert.ok(first.wide > 0, "it tries the wide one");
  assert.ok(later.wide < later.narrow / 10, `${later.narrow} narrow runs, ${later.wide} wide ones`);
});

test("only the first worker opens a second session, and only where it would have more threads", async (context) => {
  for (const given of [{ index: 1 }, { threadsAlone: 1 }]) {
    const { open, write, remark } = await start(context, given);
    assert.deepEqual([...open], ["narrow"]);
    assert.equal(remark, undefined);
    assert.ok((await write(5)).narrow >= 5);
  }
});

/** Another last bit of the last number. */
function turnLastBit(values: Float32Array | CacheArray): void {
  const bits = new Int8Array(values.buffer, values.byteOffset, values.byteLength);
  bits[bits.length - 1]! ^= 1;
}

for (const [what, spoil] of [
  ["a prompt's cache", ({ present }, { chunk }) => chunk > 1 && turnLastBit(present.values)],
  ["a token's logits", ({ logits }, { chunk }) => chunk === 1 && turnLastBit(logits)],
  ["a chunk that no fixed cut has", ({ logits }, { chunk }) => chunk === 5 && turnLastBit(logits)],
] as [string, Spoil][])
  test(`a worker whose sessions differ in one bit of ${what} goes on with the narrow one alone, and remarks it`, async (context) => {
    const { remark, open, write } = await start(context, { spoil });
    assert.equal(remark, "2 threads compute other bits than 1 here, and are not used");
    assert.deepEqual([...open], ["narrow"], "the wide one is closed");
    const { narrow, wide, text } = await write(30);
    assert.equal(wide, 0);
    assert.ok(narrow >= 30);
    const plain = await start(context, { threadsAlone: 1 });
    assert.equal(text, (await plain.write(30)).text);
  });

const CUTS_MATTER =
  "the numbers of an int8 model depend on how its tokens are cut here: chunks are fixed, and nothing is drafted";

test("a worker whose numbers don't depend on the cut reads a prompt at once, and drafts what it said before", async (context) => {
  const { remark, write } = await start(context, { threadsAlone: 1 });
  const said = new Said();
  const first = await write(60, said);
  assert.equal(remark, undefined);
  assert.deepEqual(first.chunks.slice(0, 2), [promptIds.length, 1]);
  const again = await write(60, said);
  assert.ok(again.draftedTokens > 0);
  assert.equal(again.text, first.text);
});

for (const [what, spoilAll] of [
  ["for a batch", ({ logits }, { batch }) => batch === 3 && turnLastBit(logits)],
  ["in a chunk", ({ logits }, { chunk }) => chunk === 5 && turnLastBit(logits)],
  [
    "over a wide cache",
    ({ logits }, { capacity, chunk, batch, pastLengths }) =>
      capacity > 100 && chunk > 1 && batch === 1 && pastLengths[0] === 0 && turnLastBit(logits),
  ],
] as [string, Spoil][])
  test(`a worker that computes one other bit ${what} cuts prompts at fixed places, drafts nothing, and remarks it`, async (context) => {
    const { remark, write } = await start(context, { threadsAlone: 1, spoilAll });
    assert.equal(remark, CUTS_MATTER);
    const said = new Said();
    const first = await write(60, said);
    assert.deepEqual(first.chunks.slice(0, 3), [32, 16, 1]);
    const again = await write(60, said);
    assert.equal(again.draftedTokens, 0);
    // Rows of the first chunk alone are the same whoever computed them.
    assert.deepEqual(again.chunks, [16, ...new Array<number>(59).fill(1)]);
    assert.equal(again.text, first.text);
  });

test("a worker remarks both that its cuts matter and that its sessions differ", async (context) => {
  const { remark, open } = await start(context, {
    spoil: ({ logits }, { chunk }) => chunk === 1 && turnLastBit(logits),
    spoilAll: ({ logits }, { batch }) => batch === 3 && turnLastBit(logits),
  });
  assert.equal(remark, `${CUTS_MATTER}; 2 threads compute other bits than 1 here, and are not used`);
  assert.deepEqual([...open], ["narrow"]);
});
