import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { FIXTURE_SIZES, randomWeights, writeFixtureModel } from "../../models/fixture.js";
import { readModelFolder } from "../../models/folder.js";
import { forward } from "../../models/import/forward.js";
import { LOGIT_BLOCK, modelShape } from "../../models/shape.js";
import { OnnxSession } from "../onnx/session.js";
import type { FromSequence } from "../protocol.js";
import { Engine } from "./engine.js";
import { blockMaxima } from "./fixture.js";
import { KvCache } from "./kv-cache.js";
import { uniform } from "./philox.js";
import type { StepInputs, StepOutputs, StepSession } from "./runner.js";
import { Sequence, type SequenceOptions } from "./sequence.js";

type Finished = Extract<FromSequence, { type: "finished" }>;

const { context, layers, heads, width, vocab } = FIXTURE_SIZES;
const shape = { layers, heads, headDim: width / heads, context };
const decoder = { decode: (ids: readonly number[]) => ids.map((id) => `${id} `).join("") };

const folder = mkdtempSync(join(tmpdir(), "jai-engine-"));
after(() => rmSync(folder, { recursive: true }));
for (const precision of ["fp32", "int8"] as const) {
  before(() => writeFixtureModel(join(folder, precision), precision));
}

/** What a test asks of one sequence; the rest has defaults. */
type Ask = Partial<SequenceOptions> & { promptIds: number[] };

/** Adds a sequence and hands over its outcome, and its ids, when it ends. */
function ask(engine: Engine, options: Ask) {
  let sequence!: Sequence;
  const outcome = new Promise<FromSequence>((onEnd) => {
    sequence = new Sequence({
      maxTokens: 20,
      temperature: 0,
      topK: 0,
      seed: [1, 2],
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

function idsOf(text: string): number[] {
  return text.trim().split(" ").map(Number);
}

/** Seeded requests of all kinds: short and long prompts, some past the window, greedy and drawn. */
function mixedRequests(count: number): Ask[] {
  return Array.from({ length: count }, (_, i) => {
    const random = (salt: number) => uniform([i, salt], 0);
    const length = 1 + Math.floor(random(1) * (i % 5 === 0 ? 2 * context : context));
    return {
      promptIds: Array.from({ length }, (_, j) => Math.floor(uniform([i, 3], j) * vocab)),
      maxTokens: 1 + Math.floor(random(2) * 50),
      temperature: i % 4 === 0 ? 0 : 0.5 + random(4),
      topK: i % 3 === 0 ? 0 : 40,
      seed: [i, 7] as const,
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
      const requests = mixedRequests(64);
      const alone: string[] = [];
      for (const request of requests) alone.push((await generate(engineOf(1), request)).generated);

      const engine = engineOf(24);
      const outcomes: Promise<FromSequence>[] = [];
      // Two join in every step, so that each is in company of another size and depth at each of its tokens.
      for (let next = 0; next < requests.length || !engine.idle; await engine.step()) {
        for (const request of requests.slice(next, next + 2)) outcomes.push(ask(engine, request).outcome);
        next += 2;
      }
      const together = (await Promise.all(outcomes)).map((end) => (end as Finished).generated);
      assert.deepEqual(together, alone);
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

  it("keeps the last ids of a prompt longer than the window", async () => {
    const long = prompt(3 * context);
    const whole = await generate(engineOf(1), { promptIds: long, maxTokens: 1 });
    const last = await generate(engineOf(1), { promptIds: long.slice(-context), maxTokens: 1 });
    assert.equal(whole.generated, last.generated);
    assert.equal(whole.promptTokens, 3 * context);
    assert.equal(whole.fullText, decoder.decode(long) + whole.generated);
  });
});

/** Says after `id` always `id + 1`, and writes the fed ids into the cache, so that a wrong slot shows. */
class CountingSession implements StepSession {
  readonly steps: { batch: number; chunk: number }[] = [];
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
    const logits = new Float32Array(batch * vocab);
    const present = new Float32Array(2 * layers * batch * width * chunk);
    for (let i = 0; i < batch; i++) {
      const last = inputIds[lastRows[i]!]!;
      logits[i * vocab + ((last + 1) % vocab)] = 1;
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
        for (let head = 0; head < heads && length > 0; head++) {
          const place = ((i * heads + head) * capacity + length - 1) * shape.headDim;
          assert.equal(array[place], first - 1, "the cache holds another sequence's rows");
        }
      }
    }
    return { logits, maxima: blockMaxima(logits, batch), present };
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
    await engine.step();
    assert.equal(engine.size, 3);
    decoding.sequence.cancelled = true;
    prefilling.sequence.cancelled = true;
    await engine.step();
    assert.deepEqual(await decoding.outcome, { type: "cancelled" });
    assert.deepEqual(await prefilling.outcome, { type: "cancelled" });
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
    for (let i = 0; i < 5; i++) ask(engine, { promptIds: count(1, context), maxTokens: 1 });
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
    const sliding = Array.from({ length: 8 }, () =>
      ask(engine, { promptIds: count(1, context), maxTokens: 500, contextStride: 1 }),
    );
    while (!sliding.every(({ sequence }) => sequence.started)) await engine.step();
    for (const length of [1, 20, 60, 100]) {
      const { sequence } = ask(engine, { promptIds: count(1, length), maxTokens: 3 });
      const steps = await stepsToFirstToken(engine, sequence);
      assert.ok(steps <= 3 * Math.ceil(length / 64) + 1, `${steps} steps to the first token of ${length}`);
    }
  });

  it("lets sequences that fill their window anew go on beside a stream of new prompts", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 12), vocab);
    const { sequence } = ask(engine, { promptIds: count(1, context), maxTokens: 500, contextStride: 1 });
    await stepsToFirstToken(engine, sequence);
    const before = sequence.ids.length;
    for (let step = 0; step < 60; step++) {
      if (engine.size < 12) ask(engine, { promptIds: count(1, 100), maxTokens: 1 });
      await engine.step();
    }
    // A window is three chunks, and every other prefill is its.
    assert.ok(sequence.ids.length - before >= 8, `${sequence.ids.length - before} tokens in 60 steps`);
  });

  it("prefills new prompts in the order in which they came", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 12), vocab);
    const finished: number[] = [];
    const ends = [70, 3, 90, 40, 90, 12].map((length, i) =>
      ask(engine, { promptIds: count(1, length), maxTokens: 1 }).outcome.then(() => finished.push(i)),
    );
    await engine.run();
    await Promise.all(ends);
    assert.ok(finished.indexOf(0) < finished.indexOf(2) && finished.indexOf(2) < finished.indexOf(4));
    assert.ok(finished.indexOf(1) < finished.indexOf(5));
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
    assert.deepEqual(await victim.outcome, { type: "failed", message: "out of memory" });
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
