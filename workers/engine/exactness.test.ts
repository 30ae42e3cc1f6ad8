import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomWeights, rotaryWeights } from "../../models/fixtures/model.js";
import type { ModelShape } from "../../models/shape.js";
import { ALL_CUTS, type Cut, compareCuts, FEW_CUTS } from "./exactness.js";
import { context, vocab } from "./fixtures/asking.js";
import { openFixtureSession } from "./fixtures/fixture-session.js";
import { Int8CountingSession, int8Shape } from "./fixtures/int8-session.js";
import { uniform } from "./sampling/philox.js";
import type { StepInputs, StepSession } from "./step-session.js";

const shape: ModelShape = { ...int8Shape, vocabulary: vocab };
/** Consecutive numbers: the fake checks each run's past. */
const textOf = (length: number) => Int32Array.from({ length }, (_, i) => 3 + i);

/** Notes its runs. It checks the past of a single text only: texts beside another wrap around, and so are not of consecutive numbers. */
class NotedSession implements StepSession {
  readonly runs: StepInputs[] = [];
  readonly #session = new Int8CountingSession();
  readonly #change: (logits: Float32Array, inputs: StepInputs) => void;

  constructor(change: (logits: Float32Array, inputs: StepInputs) => void = () => {}) {
    this.#change = change;
  }

  async run(inputs: StepInputs) {
    this.runs.push({ ...inputs, pastLengths: inputs.pastLengths.slice() });
    const outputs = await this.#session.run(inputs.batch === 1 ? inputs : { ...inputs, batch: 0 });
    const present = inputs.batch === 1 ? outputs.present : emptyRows(inputs);
    this.#change(outputs.logits, inputs);
    return { ...outputs, present };
  }
}

/** Rows for the texts of a batch, which nothing reads here. */
function emptyRows({ batch, chunk }: StepInputs) {
  const rows = new Int8Array(shape.layers * batch * shape.kvHeads * shape.headDim * chunk);
  return { keys: rows, values: rows };
}

/** Another last bit of the last logit. */
function turnLastBit(logits: Float32Array): void {
  new Int32Array(logits.buffer, logits.byteOffset, logits.length)[logits.length - 1]! ^= 1;
}

describe("the comparison of cuts", () => {
  it("takes no memory for a context of any length", async () => {
    const session = new NotedSession();
    await compareCuts(session, { ...shape, context: 2 ** 40 }, textOf(23), [
      { chunk: 1 },
      { chunk: 7, wide: true },
    ]);
    assert.equal(Math.max(...session.runs.map(({ capacity }) => capacity)), 1024);
  });

  it("finds no difference where there is none, and compares every logit of every cut with the first", async () => {
    for (const cuts of [ALL_CUTS, FEW_CUTS]) {
      const result = await compareCuts(new NotedSession(), shape, textOf(23), cuts);
      assert.deepEqual(result, { cuts: cuts.length, logits: (cuts.length - 1) * 23 * vocab, differing: 0 });
    }
  });

  for (const [what, isCut] of [
    ["the longest chunk", ({ chunk }) => chunk === 23],
    ["a batch", ({ batch }) => batch === 3],
    ["a wide cache", ({ capacity, batch, chunk }) => batch === 1 && capacity === context && chunk === 23],
    ["a chunk of five", ({ chunk }) => chunk === 5],
  ] as [string, (inputs: StepInputs) => boolean][])
    it(`counts one bit that differs in one run of ${what}`, async () => {
      let turned = 0;
      const session = new NotedSession((logits, inputs) => {
        if (isCut(inputs) && turned++ === 0) turnLastBit(logits);
      });
      const { differing } = await compareCuts(session, shape, textOf(23), FEW_CUTS);
      assert.ok(turned > 0, "no cut has such a run");
      assert.equal(differing, 1);
    });

  it("counts a bit that differs in the first cut against each of the others", async () => {
    let runs = 0;
    const session = new NotedSession((logits) => {
      if (runs++ === 4) turnLastBit(logits);
    });
    const { differing } = await compareCuts(session, shape, textOf(23), FEW_CUTS);
    assert.equal(differing, FEW_CUTS.length - 1);
  });

  it("sees zeros of another sign", async () => {
    const session = new NotedSession((logits, { chunk }) => {
      if (chunk === 5) logits[0] = -0;
    });
    const { differing } = await compareCuts(session, shape, textOf(10), FEW_CUTS);
    assert.equal(differing, 2);
  });

  it("feeds each text whole, in chunks of the cut's length, beside texts that begin elsewhere", async () => {
    const session = new NotedSession();
    const cut: Cut = { chunk: 4, batch: 3 };
    const text = textOf(10);
    await compareCuts(session, shape, text, [cut]);
    const texts = [0, 1, 2].map((i) =>
      session.runs.flatMap(({ inputIds, chunk }) => [...inputIds.subarray(i * chunk, (i + 1) * chunk)]),
    );
    assert.deepEqual(
      session.runs.map(({ chunk }) => chunk),
      [4, 4, 2],
    );
    assert.deepEqual(texts[1], [...text]);
    for (const beside of [texts[0]!, texts[2]!]) {
      assert.deepEqual(
        [...beside].sort((a, b) => a - b),
        [...text],
      );
      assert.notDeepEqual(beside, [...text]);
    }
  });

  it("is of the text's tokens alone, however short the text", async () => {
    for (const length of [1, 2, 3, 5, 6, 8]) {
      const session = new NotedSession();
      const ids = textOf(length);
      const { differing } = await compareCuts(session, { ...shape, context: 8 }, ids, ALL_CUTS);
      assert.equal(differing, 0);
      for (const { inputIds } of session.runs)
        for (const id of inputIds) assert.ok(ids.includes(id), `${id} of a text of ${length}`);
    }
  });

  it("tells how far it is, up to the whole", async () => {
    const shares: number[] = [];
    await compareCuts(new NotedSession(), shape, textOf(4), FEW_CUTS, (share) => shares.push(share));
    assert.deepEqual(shares, [1 / 3, 2 / 3, 1]);
  });
});

for (const [kind, weights] of [
  ["GPT", randomWeights()],
  ["rotary model with windows and shared keys", rotaryWeights()],
] as const)
  describe(`the comparison of cuts of a real ${kind}`, () => {
    const ids = Int32Array.from({ length: 64 }, (_, i) => Math.floor(uniform([5, 5], i) * vocab));
    const compare = async (precision: "fp32" | "int8", cuts: readonly Cut[]) => {
      const session = await openFixtureSession(precision, weights);
      try {
        return await compareCuts(session, { ...weights.sizes, vocabulary: vocab, precision }, ids, cuts);
      } finally {
        await session.close();
      }
    };

    it("sees that attention in float32 depends on the cut", async () => {
      assert.ok((await compare("fp32", ALL_CUTS)).differing > 0);
    });

    it("sees that attention in integers doesn't", async () => {
      assert.equal((await compare("int8", ALL_CUTS)).differing, 0);
    });
  });

describe("the comparison of cuts in a context shorter than their chunks", () => {
  it("has no difference in int8", async () => {
    for (const context of [1, 2, 7, 20]) {
      const weights = randomWeights({ ...randomWeights().sizes, context });
      const session = await openFixtureSession("int8", weights);
      try {
        const ids = Int32Array.from({ length: context }, (_, i) => (i * 37) % vocab);
        for (const cuts of [ALL_CUTS, FEW_CUTS]) {
          const short: ModelShape = { ...shape, context };
          const { differing, logits } = await compareCuts(session, short, ids, cuts);
          assert.equal(differing, 0);
          assert.equal(logits, (cuts.length - 1) * context * vocab);
        }
      } finally {
        await session.close();
      }
    }
  });
});
