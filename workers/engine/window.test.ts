import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { GPT } from "../../models/architecture.js";
import { FIXTURE_SIZES, randomWeights } from "../../models/fixtures/model.js";
import { forward } from "../../models/import/forward/forward.js";
import type { OnnxSession } from "../onnx/session.js";
import { KvCache } from "./cache/kv-cache.js";
import { Engine } from "./engine.js";
import { context, decoder, generate, idsOf, shape, vocab } from "./fixtures/asking.js";
import { openFixtureSession } from "./fixtures/fixture-session.js";
import { logSoftmax } from "./sampling/fixtures/reference.js";
import type { TokenLogprob } from "./sampling/logprobs.js";

/** Compares an engine's log-probabilities of a token with the logits of the plain forward pass. */
function assertScore({ id, logprob, top }: TokenLogprob, token: number, logits: Float32Array, k: number) {
  const expected = logSoftmax(new Map(logits.entries()));
  assert.equal(id, token);
  assert.ok(Math.abs(logprob - expected.get(token)!) < 1e-4);
  const falling = [...expected.values()].sort((a, b) => b - a);
  assert.equal(top.length, k);
  for (const [i, [id, value]] of top.entries()) {
    assert.ok(Math.abs(value - falling[i]!) < 1e-4);
    assert.ok(Math.abs(value - expected.get(id)!) < 1e-4);
  }
}

describe("an engine past the context window", () => {
  let session: OnnxSession;
  const engineOf = (slots: number) => new Engine(session, new KvCache(shape, slots), vocab);
  before(async () => {
    session = await openFixtureSession("fp32");
  });
  after(() => session.close());

  /** Greedy ids by the plain forward pass, the window chosen anew at every step. */
  async function expected(
    prompt: number[],
    count: number,
    windowStart: (ids: number[]) => number,
    weights = randomWeights(),
  ) {
    const ids = [...prompt];
    for (let i = 0; i < count; i++) {
      const [logits] = await forward(weights, ids.slice(windowStart(ids)), 1);
      ids.push(logits!.indexOf(Math.max(...logits!)));
    }
    return ids.slice(prompt.length);
  }
  const prompt = (length: number) => Array.from({ length }, (_, i) => (i * 37 + 11) % vocab);

  it("at stride 1 feeds the last ids of the window from position 0 at every step", async () => {
    for (const length of [3, context - 5, context, context + 30]) {
      const options = { promptIds: prompt(length), maxTokens: 12, contextStride: 1 };
      const ids = idsOf((await generate(engineOf(1), options)).generated);
      assert.deepEqual(ids, await expected(prompt(length), 12, (all) => Math.max(0, all.length - context)));
    }
  });

  it("at a stride keeps the last context - stride ids and goes on from there", async () => {
    const stride = 16;
    let start = 0;
    const slide = (ids: number[]) => {
      if (ids.length - start > context) start += stride;
      return start;
    };
    const options = { promptIds: prompt(context - 10), maxTokens: 40, contextStride: stride };
    const ids = idsOf((await generate(engineOf(1), options)).generated);
    assert.deepEqual(ids, await expected(prompt(context - 10), 40, slide));
  });

  it("scores each of a prompt's tokens by those before it in the window", async () => {
    const weights = randomWeights();
    for (const length of [1, 2, 31, 32, 33, 100, context, context + 30]) {
      for (const [maxTokens, logprobs] of [
        [0, null],
        [3, 2],
      ] as const) {
        const promptIds = prompt(length);
        const end = await generate(engineOf(2), { promptIds, maxTokens, logprobs, promptLogprobs: true });
        assert.deepEqual([end.reason, end.completionTokens], ["length", maxTokens]);
        const start = Math.max(0, length - context);
        const window = promptIds.slice(start);
        const rows = await forward(weights, window, window.length);
        assert.equal(end.promptLogprobs!.length, length);
        for (const [i, given] of end.promptLogprobs!.entries()) {
          if (i <= start) assert.equal(given, null);
          else assertScore(given!, promptIds[i]!, rows[i - start - 1]!, logprobs ?? 0);
        }
        if (maxTokens === 0) assert.deepEqual([end.generated, end.fullText], ["", decoder.decode(promptIds)]);
        else assertScore(end.logprobs![0]!, idsOf(end.generated)[0]!, rows.at(-1)!, logprobs!);
        assert.equal(end.logprobs?.length, logprobs === null ? undefined : maxTokens);
      }
    }
  });

  for (const context of [9, 17])
    it(`reads a window of ${context} tokens, past which the padding of a chunk reaches`, async () => {
      const rotary = { dim: 8, theta: 10_000, scaling: null, precision: "float32" } as const;
      const weights = randomWeights({ ...FIXTURE_SIZES, context }, 1, 2, { ...GPT, rotary });
      const session = await openFixtureSession("fp32", weights);
      const engine = new Engine(session, new KvCache({ ...shape, context }, 1), vocab);
      const options = { promptIds: prompt(context), maxTokens: 8, context, contextStride: 1 };
      const ids = idsOf((await generate(engine, options)).generated);
      assert.deepEqual(ids, await expected(prompt(context), 8, ({ length }) => length - context, weights));
      await session.close();
    });

  it("keeps the last ids of a prompt longer than the window", async () => {
    const long = prompt(3 * context);
    const whole = await generate(engineOf(1), { promptIds: long, maxTokens: 1 });
    const last = await generate(engineOf(1), { promptIds: long.slice(-context), maxTokens: 1 });
    assert.equal(whole.generated, last.generated);
    assert.equal(whole.promptTokens, 3 * context);
    assert.equal(whole.fullText, decoder.decode(long) + whole.generated);
  });
});
