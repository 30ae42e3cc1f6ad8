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
  return { elastic, runs };
}

test("runs are narrow while other workers have work", async () => {
  const { elastic, runs } = createElastic({ narrow: 2, wide: 1 }, () => false);
  for (let n = 0; n < 1000; n++) await elastic.run(inputs(1));
  assert.deepEqual(runs, { narrow: 1000, wide: 0 });
});

test("they are wide from the moment when nobody else has, and narrow from the moment when somebody has again", async () => {
  let alone = true;
  const { elastic, runs } = createElastic({ narrow: 2, wide: 1 }, () => alone);
  await elastic.run(inputs(1));
  alone = false;
  await elastic.run(inputs(1));
  alone = true;
  await elastic.run(inputs(1));
  assert.deepEqual(runs, { narrow: 1, wide: 2 });
});

test("where several threads are slower, a lone worker keeps to one", async () => {
  const { elastic, runs } = createElastic({ narrow: 1, wide: 3 });
  for (let n = 0; n < 4000; n++) await elastic.run(inputs(1));
  assert.ok(runs.narrow > 3500, `${runs.narrow} of 4,000`);
});

test("a run that fails, wherever in a trial, does not leave the worker with the slower session", async () => {
  for (let failing = 120; failing < 150; failing++) {
    const { elastic, runs } = createElastic(
      { narrow: 3, wide: 1 },
      () => true,
      (run) => run === failing,
    );
    for (let n = 0; n < 1000; n++) await elastic.run(inputs(1)).catch(() => {});
    assert.ok(runs.narrow < 100, `${runs.narrow} of 1,000 runs were slow after run ${failing} failed`);
  }
});

test("runs of other sizes are judged by themselves", async () => {
  const { elastic, runs } = createElastic({ narrow: 1, wide: 3 });
  for (let n = 0; n < 1000; n++) await elastic.run(inputs(1));
  const before = runs.wide;
  for (let n = 0; n < 50; n++) await elastic.run(inputs(16));
  assert.equal(runs.wide - before, 50);
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
          bits.push([logits, present].map((values) => Buffer.from(values.buffer).toString("base64")).join());
        }
        assert.equal(new Set(bits).size, 1, `${texts} texts, run ${run}`);
      }
    }
  });

  it("sessions of different widths agree, and one whose last bit is off is found", async () => {
    const [one, two] = sessions as [OnnxSession, OnnxSession];
    assert.equal(await agree(one, two, shape), true);
    const off = (matters: (run: StepInputs) => boolean, output: "logits" | "present"): StepSession => ({
      async run(run) {
        const outputs = await two.run(run);
        const bits = new Int32Array(outputs[output].buffer);
        if (matters(run)) bits[bits.length - 1]! ^= 1;
        return outputs;
      },
    });
    assert.equal(
      await agree(
        one,
        off(({ chunk }) => chunk > 1, "present"),
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
