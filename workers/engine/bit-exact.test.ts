// A sequence's text depends on nothing but itself: neither on the batch, nor on the chunks, nor on what the cache holds.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { randomWeights, rotaryWeights } from "../../models/fixtures/model.js";
import { randomCases } from "../../ops/random-cases.js";
import type { OnnxSession } from "../onnx/session.js";
import { KvCache } from "./cache/kv-cache.js";
import type { CacheArray, CacheShape } from "./cache/plane.js";
import { Engine } from "./engine.js";
import { ALL_CUTS, compareCuts } from "./exactness.js";
import { type Ask, ask, context, type Finished, generate, idsOf, saying, vocab } from "./fixtures/asking.js";
import { openFixtureSession } from "./fixtures/fixture-session.js";
import { Thirds } from "./fixtures/thirds.js";
import type { Outcome } from "./outcome.js";
import { uniform } from "./sampling/philox.js";
import type { Sequence } from "./sequence.js";
import { Said } from "./speculation/said.js";
import { Speculation } from "./speculation/speculation.js";
import type { StepInputs, StepOutputs, StepSession } from "./step-session.js";

/** Requests that come and go beside one another. */
const MANY = randomCases(32, 64);

/**
 * Seeded requests of all kinds: short and long prompts, some past the window, greedy and drawn, with every sampling
 * parameter, with log-probabilities, and held to a form.
 */
function mixedRequests(count: number): Ask[] {
  return Array.from({ length: count }, (_, i) => {
    const random = (salt: number) => uniform([i, salt], 0);
    const length = 1 + Math.floor(random(1) * (i % 5 === 0 ? 2 * context : context));
    return {
      promptIds: Array.from({ length }, (_, j) => Math.floor(uniform([i, 3], j) * vocab)),
      maxTokens: 1 + Math.floor(random(2) * 50),
      sampling: {
        temperature: i % 4 === 0 ? 0 : 0.5 + random(4),
        topK: i % 3 === 0 ? 0 : 40,
        seed: [i, 7] as const,
        ...(i % 4 === 1 && { topP: 0.9, minP: 0.01 }),
        ...(i % 5 === 1 && { typicalP: 0.8 }),
        ...(i % 3 === 1 && { repetitionPenalty: 1.2, presencePenalty: 0.3, frequencyPenalty: 0.1 }),
        ...(i % 6 === 2 && { logitBias: [[i, 2] as const] }),
      },
      ...(i % 3 === 2 && { eosIds: [i], minTokens: i % 7 }),
      ...(i % 4 === 3 && { logprobs: i % 6 }),
      ...(i % 8 === 5 && { promptLogprobs: true }),
      ...(i % 9 === 4 && { constraint: new Thirds(10) }),
      contextStride: i % 7 === 0 ? 1 : 16,
    };
  });
}

for (const [precision, kind, weights] of [
  ["fp32", "GPT", randomWeights()],
  ["int8", "GPT", randomWeights()],
  ["fp32", "rotary model with windows and shared keys", rotaryWeights()],
  ["int8", "rotary model with windows and shared keys", rotaryWeights()],
  ["fp32", "rotary model with one head of keys", rotaryWeights(1)],
  ["int8", "rotary model with one head of keys", rotaryWeights(1)],
] as const) {
  describe(`an engine over a real ${precision} ${kind}`, () => {
    const shape = { ...weights.sizes, precision };
    let session: OnnxSession;
    const engineOf = (slots: number) => new Engine(session, new KvCache(shape, slots), vocab);
    before(async () => {
      session = await openFixtureSession(precision, weights);
    });
    after(() => session.close());

    it("gives every sequence of a changing batch the very text that it gets alone", async () => {
      const alone: Finished[] = [];
      for (const request of mixedRequests(MANY)) alone.push(await generate(engineOf(1), request));

      const requests = mixedRequests(MANY);
      const engine = engineOf(24);
      const outcomes: Promise<Outcome>[] = [];
      // Two join in every step, so that each runs in a batch of another size and depth at each of its tokens.
      for (let next = 0; next < requests.length || !engine.idle; await engine.step()) {
        for (const request of requests.slice(next, next + 2)) outcomes.push(ask(engine, request).outcome);
        next += 2;
      }
      const together = (await Promise.all(outcomes)) as Finished[];
      assert.deepEqual(together.map(saying), alone.map(saying));
    });

    if (precision === "int8") {
      it("gives every sequence the very text that it gets without drafts, whatever is drafted", async () => {
        const plain: Finished[] = [];
        for (const request of mixedRequests(MANY)) plain.push(await generate(engineOf(1), request));

        const said = new Said();
        // Some drafts go wrong after a few tokens.
        for (const [i, { ids }] of plain.map(({ generated }) => ({ ids: idsOf(generated) })).entries())
          said.add(ids.map((id, at) => (at % 7 === 6 && i % 2 === 0 ? (id + 1) % vocab : id)));
        const speculation = new Speculation({
          most: (_, drafts) => Math.max(0, ...drafts.map(({ ids }) => ids.length)),
          took() {},
          looksUp: () => true,
        });
        const engine = new Engine(session, new KvCache(shape, 24), vocab, { speculation });
        const outcomes: Promise<Outcome>[] = [];
        const requests = mixedRequests(MANY).map((request) => ({ ...request, said }));
        for (let next = 0; next < requests.length || !engine.idle; await engine.step())
          for (const request of requests.slice(next, ++next)) outcomes.push(ask(engine, request).outcome);
        const drafted = (await Promise.all(outcomes)) as Finished[];
        assert.deepEqual(drafted.map(saying), plain.map(saying));
        const [tokens, accepted] = [sumOf(drafted, "draftedTokens"), sumOf(drafted, "acceptedTokens")];
        assert.ok(accepted > tokens / 4 && accepted < tokens, `${accepted} of ${tokens} came true`);
      });

      it("goes on from a text that was cut anywhere as it did without the cut", async () => {
        const whole: { end: Finished; request: Ask; told: Told[] }[] = [];
        for (const request of mixedRequests(MANY)) {
          if (request.promptLogprobs) continue;
          const told: Told[] = [];
          const end = await generate(engineOf(1), { ...request, onText: (...delta) => told.push(delta) });
          whole.push({ end, request, told });
        }
        const again = mixedRequests(MANY).filter(({ promptLogprobs }) => !promptLogprobs);
        const engine = engineOf(5);
        for (const [i, { end, told }] of whole.entries()) {
          const ids = idsOf(end.generated);
          const cut = Math.floor(uniform([i, 11], 0) * Math.min(ids.length, end.completionTokens - 1));
          if (cut < 1) continue;
          const forced = {
            ids: ids.slice(0, cut),
            ...(end.logprobs && { logprobs: end.logprobs.slice(0, cut) }),
          };
          const rest: Told[] = [];
          const next = await generate(engine, {
            ...again[i]!,
            forced,
            onText: (...delta) => rest.push(delta),
          });
          assert.deepEqual(saying(next), saying(end), `request ${i}, cut at ${cut}`);
          // Each token is told by itself here.
          assert.deepEqual(rest, told.slice(cut));
        }
      });

      it("computes the same bits however a text is cut", async () => {
        const ids = Int32Array.from({ length: 64 }, (_, i) => Math.floor(uniform([5, 5], i) * vocab));
        const { differing, logits } = await compareCuts(
          session,
          { ...shape, vocabulary: vocab },
          ids,
          ALL_CUTS,
        );
        assert.equal(differing, 0);
        assert.equal(logits, (ALL_CUTS.length - 1) * ids.length * vocab);
      });
    }

    it("gives the very text of a fresh engine to prompts that begin like others", async () => {
      const requests = branchingRequests(randomCases(40, 80));
      const alone: string[] = [];
      for (const request of requests) alone.push((await generate(engineOf(1), request)).generated);

      const engine = engineOf(7);
      const asked: ReturnType<typeof ask>[] = [];
      for (let next = 0; next < requests.length || !engine.idle; await engine.step()) {
        if (next < requests.length && engine.size < 9) asked.push(ask(engine, requests[next++]!));
        // Asks once more after each that is cancelled on its way, to begin with the rows that it left.
        if (next % 9 === 8 && next < requests.length) asked.at(-2)!.sequence.cancelled = true;
      }
      const ends = await Promise.all(asked.map(({ outcome }) => outcome));
      let cached = 0;
      for (const [i, end] of ends.entries()) {
        if (end.type !== "finished") continue;
        assert.equal(end.generated, alone[i]);
        cached += end.cachedTokens ?? 0;
      }
      assert.ok(ends.some(({ type }) => type === "cancelled"));
      const tokens = requests.reduce((sum, { promptIds }) => sum + promptIds.length, 0);
      assert.ok(cached > tokens / 4, `${cached} of ${tokens} tokens came from the cache`);
    });

    it("gives the very text of a fresh engine to a prompt whose rows are moved to a slot that was never used", async () => {
      const prompt = (salt: number) =>
        Array.from({ length: 60 }, (_, i) => Math.floor(uniform([salt, 2], i) * vocab));
      const [again, other, beside] = [1, 2, 3].map((salt) => ({ promptIds: prompt(salt), maxTokens: 30 }));
      const fresh = await generate(engineOf(1), again!);

      const engine = engineOf(4);
      await generate(engine, again!);
      await generate(engine, other!);
      const running = ask(engine, beside!).outcome;
      await engine.step();
      const reused = await generate(engine, again!);
      await running;
      assert.ok(reused.cachedTokens > 0);
      assert.equal(reused.generated, fresh.generated);
    });

    it("draws from a prompt that is scored what it draws from one that is not, and scores it alike each time", async () => {
      const engine = engineOf(4);
      const requests = mixedRequests(12).filter(({ constraint }) => constraint === undefined);
      for (const request of requests) {
        const { promptLogprobs: _, ...plain } = request;
        const unscored = await generate(engine, plain);
        const first = ask(engine, { ...plain, promptLogprobs: true }).outcome;
        const beside = ask(engine, { ...plain, promptLogprobs: true }).outcome;
        await engine.run();
        const [scored, again] = (await Promise.all([first, beside])) as [Finished, Finished];
        assert.equal(scored.generated, unscored.generated);
        assert.equal(scored.cachedTokens, 0);
        assert.deepEqual(saying(again), saying(scored));
      }
    });

    it("computes bit for bit the same logits with the rows of another prompt as without", async () => {
      const promptIds = Array.from({ length: 120 }, (_, i) => Math.floor(uniform([1, 1], i) * vocab));
      const fresh = await recordAllLogits(session, shape, [promptIds]);
      for (const length of [33, 45, 93, 119, 120]) {
        const other = [...promptIds.slice(0, length), 5, 6, 7];
        const reusing = await recordAllLogits(session, shape, [other, promptIds]);
        assert.deepEqual(reusing.slice(-fresh.length), fresh);
      }
    });

    it("computes bit for bit the same logits alone and in a batch", async () => {
      const [probe, ...others] = mixedRequests(24) as [Ask, ...Ask[]];
      const alone = await recordLogits(session, shape, [probe]);
      const batched = await recordLogits(session, shape, [probe, ...others]);
      assert.ok(alone.length > 5);
      assert.deepEqual(batched, alone);
    });
  });
}

type Told = Parameters<NonNullable<Ask["onText"]>>;

const sumOf = (ends: readonly Finished[], field: "draftedTokens" | "acceptedTokens") =>
  ends.reduce((sum, end) => sum + end[field], 0);

/** Requests whose prompts continue beginnings of others, and whole conversations. */
function branchingRequests(count: number): Ask[] {
  const prompts: number[][] = [];
  return Array.from({ length: count }, (_, i) => {
    const random = (salt: number) => uniform([i, salt], 1);
    const parent = prompts.slice(-6)[Math.floor(random(1) * 6)] ?? [];
    const kept = parent.slice(0, Math.ceil(random(2) * 2 * parent.length));
    const added = Array.from({ length: 1 + Math.floor(random(3) * 60) }, (_, j) =>
      Math.floor(uniform([i, 4], j) * vocab),
    );
    const promptIds = [...kept, ...added].slice(0, i % 10 === 0 ? 2 * context : context - 1);
    prompts.push(promptIds);
    return {
      promptIds,
      maxTokens: 1 + Math.floor(random(5) * 30),
      sampling: { temperature: i % 4 === 0 ? 0 : 0.9, seed: [i, 9] as const },
    };
  });
}

/** All logits of requests that are run one after the other in one engine, as bits. */
async function recordAllLogits(
  session: StepSession,
  shape: CacheShape,
  prompts: number[][],
): Promise<string[]> {
  const seen: string[] = [];
  const recorder: StepSession = {
    async run(inputs) {
      const outputs = await session.run(inputs);
      if (outputs.logits.length > 0) seen.push(Buffer.from(outputs.logits.slice().buffer).toString("base64"));
      return outputs;
    },
  };
  const engine = new Engine(recorder, new KvCache(shape, 3), vocab);
  for (const promptIds of prompts) await generate(engine, { promptIds, maxTokens: 25 });
  return seen;
}

/** The logits from which the first request's tokens were drawn, as bits. */
async function recordLogits(session: StepSession, shape: CacheShape, requests: Ask[]): Promise<string[]> {
  const seen: string[] = [];
  let probe: Sequence | undefined;
  const recorder: StepSession = {
    async run(inputs: StepInputs): Promise<StepOutputs> {
      const outputs = await session.run(inputs);
      const slot = probe?.slot ?? -1;
      const [keys] = inputs.past as [CacheArray, ...CacheArray[]];
      const first =
        keys.byteOffset / (shape.kvHeads * inputs.capacity * shape.headDim * keys.BYTES_PER_ELEMENT) || 0;
      const row = slot - first;
      if (inputs.chunk === 1 && slot >= 0 && row >= 0 && row < inputs.batch) {
        const logits = outputs.logits.subarray(row * vocab, (row + 1) * vocab);
        seen.push(Buffer.from(logits.buffer, logits.byteOffset, logits.byteLength).toString("base64"));
      }
      return outputs;
    },
  };
  const engine = new Engine(recorder, new KvCache(shape, requests.length), vocab);
  for (const [i, request] of requests.entries()) {
    const { sequence } = ask(engine, {
      ...request,
      promptIds: request.promptIds.slice(0, 20),
      maxTokens: 30,
    });
    if (i === 0) probe = sequence;
  }
  await engine.run();
  return seen;
}
