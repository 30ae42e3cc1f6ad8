import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Reader } from "../../workers/engine/reader.js";
import type { StepSession } from "../../workers/engine/step-session.js";
import { divergence, judge, type Recorded } from "./judge.js";

describe("the divergence of two distributions", () => {
  it("is that of their softmax, in nats", () => {
    // p = (1/4, 3/4), q = (1/2, 1/2): 1/4 ln(1/2) + 3/4 ln(3/2).
    const p = Float32Array.of(0, Math.log(3));
    const expected = 0.25 * Math.log(0.5) + 0.75 * Math.log(1.5);
    assert.ok(Math.abs(divergence(p, Float32Array.of(7, 7)) - expected) < 1e-7);
  });

  it("is 0 where they are the same but for a constant, however large", () => {
    assert.ok(Math.abs(divergence(Float32Array.of(1, 2, 3), Float32Array.of(501, 502, 503))) < 1e-9);
  });
});

describe("a quantized model", () => {
  const shape = { layers: 1, kvHeads: 1, headDim: 1, context: 12, vocabulary: 3, precision: "fp32" } as const;
  /** A model whose logits depend on the id alone; `bend` is added to the likeliest token's. */
  const model = (bend: (id: number) => number): StepSession => ({
    run: async ({ batch, chunk, inputIds, lastRows }) => ({
      logits: Float32Array.from(
        [...lastRows].flatMap((row) => {
          const id = inputIds[row]!;
          return [0, 1, 2].map((token) => (token === (id + 1) % 3 ? 2 + bend(id) : 0));
        }),
      ),
      maxima: new Float32Array(lastRows.length),
      present: { keys: new Float32Array(batch * chunk), values: new Float32Array(batch * chunk) },
    }),
  });
  const texts = {
    count: 2,
    length: 12,
    prompt: 3,
    ids: Int32Array.from({ length: 24 }, (_, i) => (i + Math.floor(i / 12)) % 3),
  };

  /** What a model predicts after the prompts and after each further token. */
  async function recorded(session: StepSession): Promise<Recorded> {
    const { count, length, prompt, ids } = texts;
    const reader = new Reader(session, shape, count);
    const part = (from: number, to: number) =>
      Int32Array.from(
        Array.from({ length: count }, (_, text) => [
          ...ids.subarray(text * length + from, text * length + to),
        ]).flat(),
      );
    const rows: Float32Array[] = [];
    for (let at = prompt; at <= length; at++) {
      const { logits } = await reader.read(at === prompt ? part(0, prompt) : part(at - 1, at));
      for (let text = 0; text < count; text++) rows.push(logits.subarray(3 * text, 3 * text + 3));
    }
    return { row: async (index) => rows[index]! };
  }

  it("is judged at every position that the original went on from", async () => {
    const shares: number[] = [];
    // At one id of three the likeliest token changes.
    const quality = await judge(
      await recorded(model(() => 0)),
      model((id) => (id === 0 ? -4 : 0)),
      shape,
      texts,
      (share) => shares.push(share),
    );
    // Ids 2 to 11 of both texts, and those of them that are 0.
    const judged = [0, 12].flatMap((first) => [...texts.ids.subarray(first + 2, first + 12)]);
    const zeros = judged.filter((id) => id === 0).length;
    assert.equal(quality.sameTop, 1 - zeros / judged.length);
    const expected = divergence(Float32Array.of(2, 0, 0), Float32Array.of(-2, 0, 0));
    assert.ok(Math.abs(quality.kl - (expected * zeros) / judged.length) < 1e-6);
    assert.equal(quality.verdict, "poor");
    assert.equal(shares.at(-1), 1);
  });

  it("is good where it predicts the same", async () => {
    const same = model(() => 0);
    assert.deepEqual(await judge(await recorded(same), same, shape, texts), {
      kl: 0,
      sameTop: 1,
      verdict: "good",
    });
  });

  it("is fair in between", async () => {
    const { verdict, kl } = await judge(
      await recorded(model(() => 0)),
      model(() => 0.3),
      shape,
      texts,
    );
    assert.equal(verdict, "fair", `KL ${kl}`);
  });
});
