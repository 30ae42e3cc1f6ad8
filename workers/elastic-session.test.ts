import assert from "node:assert/strict";
import { resolve } from "node:path";
import { after, before, describe, it, test } from "node:test";
import { readModelFolder } from "../models/folder.js";
import { type ModelShape, modelShape } from "../models/shape.js";
import { agree, ElasticSession } from "./elastic-session.js";
import { Reader } from "./engine/reader.js";
import type { StepInputs, StepOutputs, StepSession } from "./engine/step-session.js";
import { OnnxSession } from "./onnx/session.js";

const inputs = (rows: number) => ({ batch: 1, chunk: rows }) as StepInputs;

/** Sessions that only note their runs, and take their time on a clock of their own. */
function createElastic(
  ms: { narrow: number; wide: number },
  isAlone = () => true,
  fails: (run: number) => boolean = () => false,
) {
  let now = 0;
  let run = 0;
  const runs = { narrow: 0, wide: 0 };
  const session = (width: "narrow" | "wide"): StepSession => ({
    async run() {
      runs[width]++;
      if (fails(++run)) throw new Error("the run failed");
      now += ms[width];
      return {} as StepOutputs;
    },
  });
  const elastic = new ElasticSession({
    narrow: session("narrow"),
    wide: session("wide"),
    isAlone,
    now: () => now,
  });
  /** Runs so often, and counts anew. */
  const many = async (times: number, rows = 1) => {
    Object.assign(runs, { narrow: 0, wide: 0 });
    for (let n = 0; n < times; n++) await elastic.run(inputs(rows)).catch(() => {});
    return { ...runs };
  };
  return { elastic, runs, many };
}

test("runs are narrow while other workers have work", async () => {
  const { elastic, runs } = createElastic({ narrow: 2, wide: 1 }, () => false);
  for (let n = 0; n < 1000; n++) await elastic.run(inputs(1));
  assert.deepEqual(runs, { narrow: 1000, wide: 0 });
});

test("where several threads are faster, runs are wide while the worker is alone, and no longer", async () => {
  let alone = true;
  const { many } = createElastic({ narrow: 2, wide: 1 }, () => alone);
  await many(200);
  assert.deepEqual(await many(100), { narrow: 0, wide: 100 });
  alone = false;
  assert.deepEqual(await many(100), { narrow: 100, wide: 0 });
  alone = true;
  assert.deepEqual(await many(100), { narrow: 0, wide: 100 });
});

test("a run in which another worker got work says nothing about the session", async () => {
  let asked = 0;
  const { many } = createElastic({ narrow: 1, wide: 3 }, () => ++asked % 2 === 1);
  assert.deepEqual(await many(2000), { narrow: 2000, wide: 0 });
});

test("where several threads are slower, a lone worker keeps to one", async () => {
  const { many } = createElastic({ narrow: 1, wide: 3 });
  const { narrow } = await many(20_000);
  assert.ok(narrow > 19_500, `${narrow} of 20,000`);
});

test("a run that fails, wherever in a trial, does not leave the worker with the slower session", async () => {
  for (let failing = 1; failing < 150; failing++) {
    const { many } = createElastic(
      { narrow: 3, wide: 1 },
      () => true,
      (run) => run === failing,
    );
    const { narrow } = await many(1000);
    assert.ok(narrow < 100, `${narrow} of 1,000 runs were slow after run ${failing} failed`);
  }
});

test("runs of other sizes are judged by themselves", async () => {
  const { many } = createElastic({ narrow: 2, wide: 1 });
  await many(200);
  const { narrow, wide } = await many(60, 16);
  assert.ok(narrow > 25 && wide > 25, `${narrow} narrow runs until it was known, then ${wide} wide ones`);
  assert.deepEqual(await many(50, 9), { narrow: 0, wide: 50 }, "of up to twice the size");
});

describe("on a real model", () => {
  const { graphPath, config } = readModelFolder(resolve("models/jai-small"));
  const shape = modelShape(config);
  const sessions: OnnxSession[] = [];
  before(async () => {
    for (const threads of [1, 2, 3, 4])
      sessions.push(await OnnxSession.open(graphPath, shape, { device: "cpu", deviceId: 0, threads }));
  });
  after(() => Promise.all(sessions.map((session) => session.close())));

  it("any number of threads computes the bits that one does, whatever the batch and the chunks", async () => {
    for (const texts of [1, 3, 8]) {
      const readers = sessions.map((session) => new Reader(session, shape, texts));
      for (const [run, chunk] of [32, 16, 16, 1, 1, 16, 1].entries()) {
        const ids = Int32Array.from(
          { length: texts * chunk },
          (_, i) => (run * 1009 + i * 31) % shape.vocabulary,
        );
        const bits: string[] = [];
        for (const reader of readers) {
          const { logits, present } = await reader.read(ids);
          const outputs = [logits, present.keys, present.values];
          bits.push(outputs.map((values) => Buffer.from(values.buffer).toString("base64")).join());
        }
        assert.equal(new Set(bits).size, 1, `${texts} texts, run ${run}`);
      }
    }
  });

  it("sessions of different widths agree, and one whose last bit is off is found", async () => {
    const [one, two] = sessions as [OnnxSession, OnnxSession];
    assert.equal(await agree(one, two, shape), true);
    const off = (matters: (run: StepInputs) => boolean, output: "logits" | "keys"): StepSession => ({
      async run(run) {
        const outputs = await two.run(run);
        const { buffer } = output === "logits" ? outputs.logits : outputs.present.keys;
        const bits = new Int8Array(buffer);
        if (matters(run)) bits[bits.length - 1]! ^= 1;
        return outputs;
      },
    });
    assert.equal(
      await agree(
        one,
        off(({ chunk }) => chunk > 1, "keys"),
        shape,
      ),
      false,
    );
    assert.equal(
      await agree(
        one,
        off(({ chunk }) => chunk === 1, "logits"),
        shape,
      ),
      false,
    );
  });

  it("a model of a short context is tried within it", async () => {
    const [one, two] = sessions as [OnnxSession, OnnxSession];
    const short: ModelShape = { ...shape, context: 20 };
    assert.equal(await agree(one, two, short), true);
  });
});
