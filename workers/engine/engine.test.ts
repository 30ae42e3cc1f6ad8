import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { FIXTURE_SIZES, randomWeights, writeFixtureModel } from "../../models/fixtures/model.js";
import { readModelFolder } from "../../models/folder.js";
import { forward } from "../../models/import/forward.js";
import { LOGIT_BLOCK, modelShape } from "../../models/shape.js";
import { randomCases } from "../../ops/random-cases.js";
import { OnnxSession } from "../onnx/session.js";
import { KvCache } from "./cache/kv-cache.js";
import { type Constraint, ConstraintError } from "./constraint.js";
import { Engine } from "./engine.js";
import type { Outcome } from "./outcome.js";
import { logSoftmax } from "./sampling/fixtures/reference.js";
import { bitsOf, blockMaxima } from "./sampling/fixtures/rows.js";
import type { TokenLogprob } from "./sampling/logprobs.js";
import { uniform } from "./sampling/philox.js";
import type { Sampling } from "./sampling/sampling.js";
import { PLAIN_SAMPLING } from "./sampling/sampling.js";
import { Sequence, type SequenceOptions } from "./sequence.js";
import type { StepInputs, StepOutputs, StepSession } from "./step-session.js";

type Finished = Extract<Outcome, { type: "finished" }>;

/** Requests that come and go beside one another. */
const MANY = randomCases(32, 64);
const { context, layers, heads, width, vocab } = FIXTURE_SIZES;
const shape = { layers, heads, headDim: width / heads, context };
const decoder = {
  decode: (ids: readonly number[]) => ids.map((id) => `${id} `).join(""),
  detokenizer: () => ({ push: (id: number) => `${id} `, end: () => "" }),
};

const folder = mkdtempSync(join(tmpdir(), "jai-engine-"));
after(() => rmSync(folder, { recursive: true }));
for (const precision of ["fp32", "int8"] as const) {
  before(() => writeFixtureModel(join(folder, precision), precision));
}

/** Options of a test's sequence; all others have defaults. */
type Ask = Partial<Omit<SequenceOptions, "sampling">> & { promptIds: number[]; sampling?: Partial<Sampling> };

/** Adds a sequence; its outcome comes when it ends. */
function ask(engine: Engine, { sampling, ...options }: Ask) {
  let sequence!: Sequence;
  const outcome = new Promise<Outcome>((onEnd) => {
    sequence = new Sequence({
      maxTokens: 20,
      sampling: { ...PLAIN_SAMPLING, temperature: 0, seed: [1, 2], ...sampling },
      stop: [],
      eosId: null,
      context,
      contextStride: 16,
      decoder,
      onEnd,
      ...options,
    });
  });
  engine.add(sequence);
  return { sequence, outcome };
}

async function generate(engine: Engine, options: Ask): Promise<Finished> {
  const { outcome } = ask(engine, options);
  await engine.run();
  const end = await outcome;
  assert.equal(end.type, "finished");
  return end as Finished;
}

/** The part of an outcome that does not depend on other sequences. */
function saying({ cachedTokens: _, firstTokenMs: __, ...rest }: Finished) {
  return rest;
}

function idsOf(text: string): number[] {
  return text.trim().split(" ").map(Number);
}

/** Allows every third token, another third each time, and nothing but the end after `length` tokens. */
class Thirds implements Constraint {
  #taken = 0;
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  get complete(): boolean {
    return this.#taken === this.#length;
  }

  allowed(): Int32Array {
    return bitsOf(
      Array.from({ length: vocab }, (_, token) => token).filter((token) => token % 3 === this.#taken % 3),
      vocab,
    );
  }

  accept(token: number): void {
    assert.equal(token % 3, this.#taken % 3, "a token that was not allowed");
    this.#taken++;
  }
}

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
      ...(i % 3 === 2 && { eosId: i, minTokens: i % 7 }),
      ...(i % 4 === 3 && { logprobs: i % 6 }),
      ...(i % 8 === 5 && { promptLogprobs: true }),
      ...(i % 9 === 4 && { constraint: new Thirds(10) }),
      contextStride: i % 7 === 0 ? 1 : 16,
    };
  });
}

for (const precision of ["fp32", "int8"] as const) {
  describe(`an engine over a real ${precision} model`, () => {
    let session: OnnxSession;
    const engineOf = (slots: number) => new Engine(session, new KvCache(shape, slots), vocab);
    before(async () => {
      const { graphPath, config } = readModelFolder(join(folder, precision));
      session = await OnnxSession.open(graphPath, modelShape(config), {
        device: "cpu",
        deviceId: 0,
        threads: 2,
      });
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
      const fresh = await recordAllLogits(session, [promptIds]);
      for (const length of [33, 45, 93, 119, 120]) {
        const other = [...promptIds.slice(0, length), 5, 6, 7];
        const reusing = await recordAllLogits(session, [other, promptIds]);
        assert.deepEqual(reusing.slice(-fresh.length), fresh);
      }
    });

    it("computes bit for bit the same logits alone and in a batch", async () => {
      const [probe, ...others] = mixedRequests(24) as [Ask, ...Ask[]];
      const alone = await recordLogits(session, [probe]);
      const batched = await recordLogits(session, [probe, ...others]);
      assert.ok(alone.length > 5);
      assert.deepEqual(batched, alone);
    });
  });
}

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
async function recordAllLogits(session: StepSession, prompts: number[][]): Promise<string[]> {
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
async function recordLogits(session: StepSession, requests: Ask[]): Promise<string[]> {
  const seen: string[] = [];
  let probe: Sequence | undefined;
  const recorder: StepSession = {
    async run(inputs: StepInputs): Promise<StepOutputs> {
      const outputs = await session.run(inputs);
      const slot = probe?.slot ?? -1;
      const first = inputs.past[0]!.byteOffset / (heads * inputs.capacity * shape.headDim * 4) || 0;
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
    const { graphPath, config } = readModelFolder(join(folder, "fp32"));
    session = await OnnxSession.open(graphPath, modelShape(config), {
      device: "cpu",
      deviceId: 0,
      threads: 2,
    });
  });
  after(() => session.close());

  /** Greedy ids by the plain forward pass, the window chosen anew at every step. */
  async function expected(prompt: number[], count: number, windowStart: (ids: number[]) => number) {
    const weights = randomWeights();
    const ids = [...prompt];
    for (let i = 0; i < count; i++) {
      const [logits] = await forward(weights, ids.slice(windowStart(ids)), 1, 1e-5);
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
        const rows = await forward(weights, window, window.length, 1e-5);
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

  it("keeps the last ids of a prompt longer than the window", async () => {
    const long = prompt(3 * context);
    const whole = await generate(engineOf(1), { promptIds: long, maxTokens: 1 });
    const last = await generate(engineOf(1), { promptIds: long.slice(-context), maxTokens: 1 });
    assert.equal(whole.generated, last.generated);
    assert.equal(whole.promptTokens, 3 * context);
    assert.equal(whole.fullText, decoder.decode(long) + whole.generated);
  });
});

/**
 * Always continues `id` with `id + 1`, and writes the fed ids into the cache, so that a wrong row shows: every text
 * consists of consecutive numbers.
 */
class CountingSession implements StepSession {
  readonly steps: { batch: number; chunk: number }[] = [];
  /** Ids that were fed in chunks, padding left out. */
  prefilled = 0;
  async run({
    batch,
    chunk,
    capacity,
    inputIds,
    pastLengths,
    lastRows,
    past,
  }: StepInputs): Promise<StepOutputs> {
    this.steps.push({ batch, chunk });
    const logits = new Float32Array(lastRows.length * vocab);
    for (const [row, last] of lastRows.entries()) logits[row * vocab + ((inputIds[last]! + 1) % vocab)] = 1;
    const present = new Float32Array(2 * layers * batch * width * chunk);
    for (let i = 0; i < batch; i++) {
      const last = lastRows.find((row) => row >= i * chunk && row < (i + 1) * chunk);
      // A chunk that isn't its prompt's last is full.
      if (chunk > 1) this.prefilled += last === undefined ? chunk : last - i * chunk + 1;
      for (let row = 0; row < chunk; row++) {
        for (let block = 0; block < 2 * layers * heads; block++) {
          const part = Math.floor(block / heads) * batch * heads + i * heads + (block % heads);
          const place = (part * chunk + row) * shape.headDim;
          present.fill(inputIds[i * chunk + row]!, place, place + shape.headDim);
        }
      }
      const length = pastLengths[i]!;
      const first = inputIds[i * chunk]!;
      for (const array of past) {
        for (let head = 0; head < heads; head++) {
          for (let position = 0; position < length; position++) {
            const place = ((i * heads + head) * capacity + position) * shape.headDim;
            const id = (first - length + position + vocab) % vocab;
            assert.equal(array[place], id, "the cache holds another text's rows");
          }
        }
      }
    }
    return { logits, maxima: blockMaxima(logits, lastRows.length), present };
  }
}

/** Has the same logits for every token: those of a few, and 0 for all others. */
class ConstantSession implements StepSession {
  readonly #logits: [token: number, logit: number][];

  constructor(...logits: [token: number, logit: number][]) {
    this.#logits = logits;
  }

  async run({ batch, chunk, lastRows }: StepInputs): Promise<StepOutputs> {
    const logits = new Float32Array(lastRows.length * vocab);
    for (let row = 0; row < lastRows.length; row++) {
      for (const [token, logit] of this.#logits) logits[row * vocab + token] = logit;
    }
    const present = new Float32Array(2 * layers * batch * width * chunk);
    return { logits, maxima: blockMaxima(logits, lastRows.length), present };
  }
}

describe("an engine's bookkeeping", () => {
  const count = (from: number, length: number) => Array.from({ length }, (_, i) => from + i);

  it("keeps each sequence's cache its own while sequences join, end and are cancelled", async () => {
    const session = new CountingSession();
    const engine = new Engine(session, new KvCache(shape, 6), vocab);
    const asked = [];
    for (let i = 0; i < 40; i++) {
      const promptIds = count(i, 1 + ((i * 13) % 30));
      asked.push(ask(engine, { promptIds, maxTokens: 1 + ((i * 7) % 20) }));
      await engine.step();
      if (i % 5 === 4) asked[i - 2]!.sequence.cancelled = true;
    }
    await engine.run();
    const ends = await Promise.all(asked.map(({ outcome }) => outcome));
    assert.ok(ends.some(({ type }) => type === "cancelled"));
    for (const [i, end] of ends.entries()) {
      if (end.type === "cancelled") continue;
      assert.equal(end.type, "finished");
      const start = i + 1 + ((i * 13) % 30);
      assert.deepEqual(idsOf((end as Finished).generated), count(start, 1 + ((i * 7) % 20)));
    }
    assert.equal(engine.size, 0);
  });

  it("frees the slot of a cancelled sequence at the next step, in prefill as in decode", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 2), vocab);
    const decoding = ask(engine, { promptIds: [1], maxTokens: 50 });
    const prefilling = ask(engine, { promptIds: count(1, context), maxTokens: 50 });
    const waiting = ask(engine, { promptIds: [5], maxTokens: 2 });
    for (const _ of ["prefill", "decode"]) await engine.step();
    assert.equal(engine.size, 3);
    decoding.sequence.cancelled = true;
    prefilling.sequence.cancelled = true;
    await engine.step();
    assert.deepEqual(await decoding.outcome, { type: "cancelled", completionTokens: 1 });
    assert.deepEqual(await prefilling.outcome, { type: "cancelled", completionTokens: 0 });
    assert.equal(engine.size, 1);
    await engine.run();
    assert.equal((await waiting.outcome).type, "finished");
  });

  it("does not run a sequence that was cancelled before it got a slot", async () => {
    const session = new CountingSession();
    const engine = new Engine(session, new KvCache(shape, 1), vocab);
    const { sequence, outcome } = ask(engine, { promptIds: [1] });
    sequence.cancelled = true;
    await engine.run();
    assert.equal((await outcome).type, "cancelled");
    assert.equal(session.steps.length, 0);
  });

  it("takes turns between prompts and running sequences", async () => {
    const session = new CountingSession();
    const engine = new Engine(session, new KvCache(shape, 8), vocab);
    ask(engine, { promptIds: [1], maxTokens: 30 });
    await engine.step();
    for (let i = 0; i < 5; i++) ask(engine, { promptIds: count(i + 2, context), maxTokens: 1 });
    session.steps.length = 0;
    for (let i = 0; i < 6; i++) await engine.step();
    assert.deepEqual(
      session.steps.map(({ chunk }) => (chunk === 1 ? "decode" : "prefill")),
      ["prefill", "decode", "prefill", "decode", "prefill", "decode"],
    );
  });

  /** Steps until a sequence has a token, or until there were too many of them. */
  async function stepsToFirstToken(engine: Engine, sequence: Sequence): Promise<number> {
    let steps = 0;
    while (!sequence.started && steps < 1000) {
      await engine.step();
      steps++;
    }
    return steps;
  }

  it("lets a new prompt in beside sequences that fill their window anew at every token", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 12), vocab);
    const sliding = Array.from({ length: 8 }, (_, i) =>
      ask(engine, { promptIds: count(i, context), maxTokens: 500, contextStride: 1 }),
    );
    while (!sliding.every(({ sequence }) => sequence.started)) await engine.step();
    for (const length of [1, 20, 60, 100]) {
      const { sequence } = ask(engine, { promptIds: count(100 - length, length), maxTokens: 3 });
      const steps = await stepsToFirstToken(engine, sequence);
      assert.ok(steps <= 3 * Math.ceil(length / 16) + 1, `${steps} steps to the first token of ${length}`);
    }
  });

  it("lets sequences that fill their window anew go on beside a stream of new prompts", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 12), vocab);
    const { sequence } = ask(engine, { promptIds: count(1, context), maxTokens: 500, contextStride: 1 });
    await stepsToFirstToken(engine, sequence);
    const before = sequence.ids.length;
    for (let step = 0; step < 180; step++) {
      if (engine.size < 12) ask(engine, { promptIds: count(2 + (step % 100), 100), maxTokens: 1 });
      await engine.step();
    }
    // A window is nine chunks, and it has every other prefill.
    assert.ok(sequence.ids.length - before >= 8, `${sequence.ids.length - before} tokens in 180 steps`);
  });

  it("prefills new prompts in the order in which they came", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 12), vocab);
    const finished: number[] = [];
    const ends = [70, 3, 90, 40, 90, 12].map((length, i) =>
      ask(engine, { promptIds: count(i, length), maxTokens: 1 }).outcome.then(() => finished.push(i)),
    );
    await engine.run();
    await Promise.all(ends);
    assert.ok(finished.indexOf(0) < finished.indexOf(2) && finished.indexOf(2) < finished.indexOf(4));
    assert.ok(finished.indexOf(1) < finished.indexOf(5));
  });

  it("draws each token by the generator's number at its position", async () => {
    const engine = new Engine(new ConstantSession(), new KvCache(shape, 1), vocab);
    const seed = [5, 6] as const;
    const sampling = { temperature: 1, seed };
    const ids = idsOf((await generate(engine, { promptIds: [1, 2, 3], sampling })).generated);
    assert.deepEqual(
      ids,
      ids.map((_, i) => Math.floor(uniform(seed, 3 + i) * vocab)),
    );
  });

  it("goes on past the end-of-sequence token until there are enough tokens", async () => {
    const engineOf = () =>
      new Engine(new ConstantSession([7, 3], [8, 2], [0, 1]), new KvCache(shape, 1), vocab);
    const options = { promptIds: [1], eosId: 7, maxTokens: 9 };
    assert.deepEqual(idsOf((await generate(engineOf(), options)).generated), [7]);
    const end = await generate(engineOf(), { ...options, minTokens: 3 });
    assert.deepEqual([idsOf(end.generated), end.reason], [[8, 8, 8, 7], "stop"]);
  });

  it("holds a sequence to its form, and ends it with the form", async () => {
    const constraint = new Thirds(4);
    const engine = new Engine(new ConstantSession([7, 3], [8, 2], [0, 1]), new KvCache(shape, 1), vocab);
    const end = await generate(engine, { promptIds: [1], constraint, minTokens: 8 });
    assert.deepEqual([idsOf(end.generated), end.reason], [[0, 7, 8, 0], "stop"]);
    assert.equal(engine.size, 0);
  });

  it("draws nothing for a form that is complete at its beginning", async () => {
    const constraint = new Thirds(0);
    const engine = new Engine(new ConstantSession([7, 3], [8, 2], [0, 1]), new KvCache(shape, 1), vocab);
    const end = await generate(engine, { promptIds: [1, 2, 3], constraint });
    assert.deepEqual([end.generated, end.reason, end.completionTokens], ["", "stop", 0]);
  });

  it("frees the slots of sequences with a form that are cancelled or fail, wherever they are", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 2), vocab);
    const cancelled = [1, 2, 3].map((id) => {
      const constraint = new Thirds(50);
      constraint.allowed = () => new Int32Array(vocab).fill(-1);
      constraint.accept = () => {};
      return ask(engine, { promptIds: id === 2 ? count(1, 100) : [id], constraint });
    });
    await engine.step();
    for (const { sequence } of cancelled) sequence.cancelled = true;
    await engine.run();
    for (const { outcome } of cancelled) assert.equal((await outcome).type, "cancelled");

    const constraint = new Thirds(5);
    constraint.allowed = () => new Int32Array(vocab);
    const { outcome } = ask(engine, { promptIds: [1], constraint });
    await engine.run();
    const end = await outcome;
    assert.ok(end.type === "failed" && /no token can continue/.test(end.message));
    assert.equal(engine.size, 0);
  });

  it("tells that a sequence failed for the form that it was to have", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 1), vocab);
    const constraint = new Thirds(10);
    constraint.allowed = () => {
      throw new ConstraintError("expected less");
    };
    const { outcome } = ask(engine, { promptIds: [1], constraint });
    await engine.run();
    assert.deepEqual(await outcome, { type: "failed", message: "expected less", form: true });
  });

  it("fails the sequences of a run that fails, and no other", async () => {
    const session = new CountingSession();
    const engine = new Engine(session, new KvCache(shape, 4), vocab);
    const survivor = ask(engine, { promptIds: [1], maxTokens: 5 });
    await engine.step();
    const victim = ask(engine, { promptIds: [1, 2, 3], maxTokens: 5 });
    const run = session.run.bind(session);
    session.run = () => Promise.reject(new Error("out of memory"));
    await engine.step();
    session.run = run;
    await engine.run();
    assert.deepEqual(await victim.outcome, { type: "failed", message: "out of memory", form: false });
    assert.equal((await survivor.outcome).type, "finished");
  });

  it("fails a sequence whose logits are not numbers", async () => {
    const engine = new Engine(
      {
        run: async ({ batch, chunk }) => ({
          logits: new Float32Array(batch * vocab).fill(Number.NaN),
          maxima: new Float32Array(batch * Math.ceil(vocab / LOGIT_BLOCK)).fill(Number.NaN),
          present: new Float32Array(2 * layers * batch * width * chunk),
        }),
      },
      new KvCache(shape, 1),
      vocab,
    );
    const { outcome } = ask(engine, { promptIds: [1] });
    await engine.run();
    const end = await outcome;
    assert.ok(end.type === "failed" && /not numbers/.test(end.message));
  });
});

describe("an engine's reuse of prefixes", () => {
  const count = (from: number, length: number) => Array.from({ length }, (_, i) => from + i);
  const engineOf = (slots: number) => {
    const session = new CountingSession();
    return { session, engine: new Engine(session, new KvCache(shape, slots), vocab) };
  };
  /** Runs a prompt to its end and says how many of its ids were prefilled. */
  async function prefilled({ session, engine }: ReturnType<typeof engineOf>, promptIds: number[]) {
    session.prefilled = 0;
    const { cachedTokens } = await generate(engine, { promptIds, maxTokens: 3 });
    assert.equal(session.prefilled + cachedTokens!, promptIds.length);
    return session.prefilled;
  }

  it("computes of a prompt whose beginning was just served only the chunks that are new", async () => {
    const one = engineOf(2);
    assert.equal(await prefilled(one, count(1, 100)), 100);
    assert.equal(await prefilled(one, count(1, 150)), 150 - 96);
    assert.equal(await prefilled(one, count(1, 150)), 150 - 144);
    assert.equal(await prefilled(one, count(2, 150)), 150);
  });

  it("computes the last chunk of a prompt even where the cache has all of it", async () => {
    const one = engineOf(2);
    await prefilled(one, count(1, 64));
    assert.equal(await prefilled(one, count(1, 64)), 16);
  });

  it("does not take rows of generated tokens for those of a prompt", async () => {
    const one = engineOf(1);
    await generate(one.engine, { promptIds: count(1, 40), maxTokens: 60 });
    assert.equal(await prefilled(one, count(1, 100)), 100 - 32);
  });

  it("does not reuse rows of a window that slid", async () => {
    const one = engineOf(1);
    await generate(one.engine, { promptIds: count(1, context - 4), maxTokens: 30 });
    assert.equal(await prefilled(one, count(1, 100)), 100);
    assert.equal(await prefilled(one, count(17, 100)), 100);
  });

  it("copies the beginning from a sequence that runs, which goes on unharmed", async () => {
    const { session, engine } = engineOf(3);
    const running = ask(engine, { promptIds: count(1, 100), maxTokens: 40 });
    while (!running.sequence.started) await engine.step();
    const joining = ask(engine, { promptIds: count(1, 90), maxTokens: 30 });
    session.prefilled = 0;
    await engine.run();
    assert.equal(session.prefilled, 90 - 80);
    assert.deepEqual(idsOf(((await running.outcome) as Finished).generated), count(101, 40));
    assert.deepEqual(idsOf(((await joining.outcome) as Finished).generated), count(91, 30));
  });

  it("computes the common beginning of prompts that come together once", async () => {
    const { session, engine } = engineOf(8);
    const asked = Array.from({ length: 8 }, (_, i) =>
      ask(engine, { promptIds: count(1, 100 + i), maxTokens: 2 }),
    );
    await engine.run();
    assert.equal(session.prefilled, 96 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11);
    const steps = session.steps.filter(({ chunk }) => chunk > 1).length;
    assert.ok(steps <= 7, `${steps} prefills`);
    for (const [i, { outcome }] of asked.entries())
      assert.deepEqual(idsOf(((await outcome) as Finished).generated), count(101 + i, 2));
  });

  it("goes on without the sequence whose rows others waited for, when that is cancelled", async () => {
    const { session, engine } = engineOf(4);
    const first = ask(engine, { promptIds: count(1, 150), maxTokens: 2 });
    const others = [120, 130].map((length) => ask(engine, { promptIds: count(1, length), maxTokens: 2 }));
    await engine.step();
    await engine.step();
    first.sequence.cancelled = true;
    await engine.run();
    assert.equal((await first.outcome).type, "cancelled");
    for (const [i, { outcome }] of others.entries())
      assert.deepEqual(idsOf(((await outcome) as Finished).generated), count(121 + 10 * i, 2));
    assert.equal(session.prefilled, 130 + (120 - 112));
  });

  it("keeps what a cancelled prompt computed", async () => {
    const one = engineOf(1);
    const { sequence } = ask(one.engine, { promptIds: count(1, 150), maxTokens: 2 });
    await one.engine.step();
    await one.engine.step();
    sequence.cancelled = true;
    await one.engine.run();
    assert.equal(await prefilled(one, count(1, 150)), 150 - 48);
  });

  it("overwrites the prefix that was not used for the longest time", async () => {
    const one = engineOf(3);
    for (const from of [1, 2, 3]) await prefilled(one, count(from, 50));
    assert.equal(await prefilled(one, count(1, 51)), 51 - 48);
    await prefilled(one, count(4, 50));
    assert.equal(await prefilled(one, count(3, 51)), 51 - 48);
    assert.equal(await prefilled(one, count(1, 51)), 51 - 48);
    assert.equal(await prefilled(one, count(2, 51)), 51);
  });

  it("keeps a long prefix while a prompt that shares only its beginning is served", async () => {
    const one = engineOf(2);
    const branch = [...count(1, 64), 200];
    await prefilled(one, count(1, 140));
    one.session.run = unchecked(one.session);
    await generate(one.engine, { promptIds: branch, maxTokens: 1 });
    assert.equal(await prefilled(one, count(1, 141)), 141 - 128);
  });
});

/** The fake without its check of the rows, for texts that are not of consecutive numbers. */
function unchecked(session: CountingSession): StepSession["run"] {
  const run = CountingSession.prototype.run.bind(session);
  return (inputs) => run({ ...inputs, past: [] });
}
