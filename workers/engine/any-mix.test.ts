// Random mixes of all that an int8 engine does at once, each text against the same one computed from whole windows.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Architecture } from "../../models/architecture.js";
import { FIXTURE_SIZES, randomWeights, rotaryWeights } from "../../models/fixtures/model.js";
import { MASKED_SCORE, type ModelShape } from "../../models/shape.js";
import { randomCases, testSeed } from "../../ops/random-cases.js";
import type { OnnxSession } from "../onnx/session.js";
import { FIXED, FREE } from "./cache/grid.js";
import { KvCache } from "./cache/kv-cache.js";
import { Engine } from "./engine.js";
import { type Ask, ask, askFor, saying, vocab } from "./fixtures/asking.js";
import { runByWindows } from "./fixtures/by-windows.js";
import { openFixtureSession } from "./fixtures/fixture-session.js";
import type { Outcome } from "./outcome.js";
import { uniform } from "./sampling/philox.js";
import type { Forced, Sequence } from "./sequence.js";
import { Said } from "./speculation/said.js";
import { Speculation } from "./speculation/speculation.js";
import type { StepInputs, StepSession } from "./step-session.js";

const CASES = randomCases(8, 60);
const FAILED = "expected to fail";

const windows: Architecture = { ...rotaryWeights().architecture, sliding_window: [3, null] };
const models = {
  GPT: randomWeights(),
  "GPT of 1 position": randomWeights({ ...FIXTURE_SIZES, context: 1 }),
  "GPT of 17 positions and odd heads": randomWeights({ ...FIXTURE_SIZES, context: 17, headDim: 7 }),
  "rotary model of 47 positions with windows": randomWeights(
    { ...FIXTURE_SIZES, context: 47, heads: 4, headDim: 13 },
    1,
    2,
    windows,
  ),
};

/** Draws of one case. */
class Draws {
  #drawn = 0;
  readonly #key: readonly [number, number];

  constructor(seed: number) {
    this.#key = [seed, 99];
  }

  below(limit: number): number {
    return Math.floor(uniform(this.#key, this.#drawn++) * limit);
  }

  ids(length: number): number[] {
    return Array.from({ length }, () => this.below(vocab));
  }

  is(share: number): boolean {
    return uniform(this.#key, this.#drawn++) < share;
  }
}

/** A request that may go on from a part of another text. */
function requestOf(draws: Draws, texts: readonly number[][], context: number): Ask {
  const other = texts[draws.below(texts.length)] ?? [];
  const begun = other.slice(0, draws.below(other.length + 1));
  const promptIds = [...begun, ...draws.ids(1 + draws.below(draws.is(0.2) ? 2 * context : 24))];
  return {
    promptIds: promptIds.slice(0, 3 * context),
    maxTokens: draws.is(0.05) ? 0 : 1 + draws.below(Math.min(2 * context, 60)),
    minTokens: draws.below(9),
    eosIds: draws.is(0.5) ? draws.ids(3) : [],
    logprobs: draws.is(0.3) ? draws.below(4) : null,
    promptLogprobs: draws.is(0.15),
    context,
    contextStride: 1 + draws.below(context),
    sampling: {
      temperature: draws.is(0.5) ? 0 : 0.8,
      seed: [draws.below(99), 1],
      ...(draws.is(0.3) && { repetitionPenalty: 1.2, frequencyPenalty: 0.2 }),
    },
  };
}

/** A text as it is by itself. */
interface Expected {
  end: Outcome;
  told: Told[];
  ids: number[];
}
type Told = Parameters<NonNullable<Ask["onText"]>>;

/** A beginning of the text, which a sequence then goes on from, and what it tells of the rest. */
function cutOf(draws: Draws, { promptIds, promptLogprobs }: Ask, { end, ids, told }: Expected) {
  const generated = ids.slice(promptIds.length);
  if (promptLogprobs || generated.length < 2 || end.type !== "finished" || draws.is(0.7)) return { told };
  const cut = draws.below(generated.length);
  const forced: Forced = {
    ids: generated.slice(0, cut),
    ...(end.logprobs && { logprobs: end.logprobs.slice(0, cut) }),
  };
  let tokens = 0;
  const isLater = ([, count]: Told) => {
    tokens += count;
    return tokens > cut;
  };
  return { forced, told: told.filter(isLater) };
}

function assertMasked({ batch, capacity, past, pastLengths }: StepInputs, { kvHeads }: ModelShape): void {
  for (const [part, array] of past.entries())
    for (let head = 0; part % 3 === 2 && head < batch * kvHeads; head++)
      for (let at = pastLengths[Math.floor(head / kvHeads)]!; at < capacity; at++)
        assert.equal(array[head * capacity + at], MASKED_SCORE);
}

/** Drafts any number of tokens at any time. */
function anyDrafts(draws: Draws): Speculation {
  return new Speculation({
    looksUp: () => draws.is(0.9),
    most: (_, drafts) => Math.min(draws.below(9), Math.max(0, ...drafts.map(({ ids }) => ids.length))),
    took() {},
  });
}

for (const [name, weights] of Object.entries(models))
  describe(`any mix of sequences of an int8 ${name}`, () => {
    const { context } = weights.sizes;
    const shape: ModelShape = { ...weights.sizes, precision: "int8", vocabulary: vocab };
    let session: OnnxSession;
    before(async () => {
      session = await openFixtureSession("int8", weights);
    });
    after(() => session.close());

    async function alone(request: Ask): Promise<Expected> {
      const told: Told[] = [];
      const { sequence, outcome } = askFor({ ...request, onText: (...delta) => told.push(delta) });
      await runByWindows(session, shape, sequence);
      return { end: await outcome, told, ids: sequence.ids };
    }

    /** Fails some runs, and refuses a cache that doesn't mask what holds no row. */
    const failing = (draws: Draws, share: number): StepSession => ({
      async run(inputs) {
        assertMasked(inputs, shape);
        if (draws.is(share)) throw new Error(FAILED);
        const outputs = await session.run(inputs);
        if (draws.is(share)) throw new Error(FAILED);
        return outputs;
      },
    });

    async function requestsOf(draws: Draws) {
      const texts: number[][] = [];
      const requests: { request: Ask; expected: Expected; joins: number; leaves: number }[] = [];
      for (let count = 3 + draws.below(9); count > 0; count--) {
        const request = requestOf(draws, texts, context);
        const expected = await alone(request);
        texts.push(expected.ids);
        const joins = draws.below(20);
        const leaves = draws.is(0.1) ? joins + draws.below(20) : Number.POSITIVE_INFINITY;
        requests.push({ request, expected, joins, leaves });
      }
      return requests;
    }

    function engineOf(draws: Draws): Engine {
      const slots = 1 + draws.below(8);
      const step = failing(draws, draws.is(0.3) ? 0.04 : 0);
      return new Engine(step, new KvCache(shape, slots), vocab, {
        most: 1 + draws.below(slots),
        grid: draws.is(0.2) ? FIXED : FREE,
        speculation: anyDrafts(draws),
      });
    }

    for (let i = 0; i < CASES; i++)
      it(`says what each says by itself, case ${testSeed(i)}`, async () => {
        const draws = new Draws(testSeed(i));
        const requests = await requestsOf(draws);
        const said = new Said();
        // Some drafts go wrong.
        for (const { expected } of requests)
          said.add(expected.ids.map((id) => (draws.is(0.05) ? draws.below(vocab) : id)));
        const engine = engineOf(draws);
        const last = Math.max(...requests.map(({ joins }) => joins));
        const joined: { sequence: Sequence; leaves: number; check(): Promise<void> }[] = [];
        for (let step = 0; step <= last || !engine.idle; step++) {
          for (const { request, expected, leaves } of requests.filter(({ joins }) => joins === step)) {
            const { forced = null, told } = cutOf(draws, request, expected);
            const heard: Told[] = [];
            const onText = (...delta: Told) => heard.push(delta);
            const { sequence, outcome } = ask(engine, { ...request, said, forced, onText });
            const check = async () => {
              const end = await outcome;
              if (end.type === "cancelled" || (end.type === "failed" && end.message === FAILED)) return;
              assert.ok(end.type === "finished" && expected.end.type === "finished");
              assert.deepEqual(saying(end), saying(expected.end));
              assert.deepEqual(heard, told);
              const read = Math.min(context, request.promptIds.length);
              if (!forced?.ids.length) assert.equal(end.cachedTokens + sequence.computedTokens, read);
            };
            joined.push({ sequence, leaves, check });
          }
          for (const { sequence, leaves } of joined) if (step >= leaves) sequence.cancelled = true;
          await engine.step();
        }
        for (const { check } of joined) await check();
      });
  });
