// Whole runs in simulated time: what was foretold against what came.
import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../fixtures/random.js";
import { type Outcome, SimulatedEngine, type Work } from "../fixtures/simulated-engine.js";
import { VirtualClock } from "../fixtures/virtual-clock.js";
import { Queue } from "../queue.js";
import { QueueRefusal } from "../refusal.js";
import type { Ticket } from "../ticket.js";

interface Caller {
  /** How many of its requests come, beside the other callers'; an integer. */
  weight: number;
  priority: number;
}

interface Load {
  /** Of all workers together. */
  slots: number;
  /** Each batches its own sequences. */
  workers: number;
  limit: number;
  requests: number;
  callers: Caller[];
  /** Work that comes, beside what the slots can do. */
  load: number;
  /** Requests that come at once, at most. */
  burst: number;
}

interface Forecast {
  foretold: number;
  actual: number;
}

/** Milliseconds of a step, for each sequence in it and for each token of a prompt. */
const costs = { step: 4, sequence: 0.5, promptToken: 0.1 };
/** Retry-After is in whole seconds, and who is the next waits for one sequence alone, whose length nobody knows. */
const SHORTEST_MS = 1000;
/** Lengths are exponential, cut off at what the request may write. */
const MEAN_LENGTH = 66;

const errorOf = ({ foretold, actual }: Forecast) => Math.abs(foretold - actual) / actual;
const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Runs a load to its end; every 20th request is given up at some time. */
async function run({ slots, workers, limit, requests, callers, load, burst }: Load, seed: number) {
  const random = randomNumbers(seed);
  const exponential = (mean: number) => -Math.log(1 - random()) * mean;
  const clock = new VirtualClock();
  const engines = Array.from({ length: workers }, () => new SimulatedEngine(clock, costs));
  const onStart = new Map<Work, () => void>();
  const queue = new Queue<Work, Outcome>({
    limit,
    slots,
    capacity: () => slots,
    start: (work) => {
      onStart.get(work)!();
      return engines.reduce((a, b) => (b.size < a.size ? b : a)).start(work);
    },
    written: (outcome) => (outcome.type === "finished" ? outcome.tokens : null),
    clock,
  });
  queue.open();
  const waits: Forecast[] = [];
  const retries: Forecast[] = [];
  /** The last of each caller that waits, and who was refused behind it. */
  const last = new Map<Caller, ((at: number) => void)[]>();

  const arrive = () => {
    const drawn = callers.flatMap((caller) => new Array<Caller>(caller.weight).fill(caller));
    const caller = drawn[Math.floor(random() * drawn.length)]!;
    const most = 40 + Math.floor(random() * 160);
    const work = {
      promptTokens: 5 + Math.floor(random() * 60),
      length: Math.max(1, Math.min(most, Math.floor(exponential(100)))),
    };
    const at = clock.now();
    let ticket: Ticket<Work, Outcome>;
    try {
      ticket = queue.reserve({
        caller: String(callers.indexOf(caller)),
        priority: caller.priority,
        sequences: 1,
        promptTokens: work.promptTokens,
      });
    } catch (error) {
      if (!(error instanceof QueueRefusal)) throw error;
      // It would have started next after the last of its caller.
      const foretold = error.retryAfter! * 1000;
      last.get(caller)?.push((started) => retries.push({ foretold, actual: started - at }));
      return;
    }
    const refused: ((at: number) => void)[] = [];
    let foretold: number | null = null;
    onStart.set(work, () => {
      const now = clock.now();
      if (foretold !== null) waits.push({ foretold, actual: now - at });
      for (const tell of refused) tell(now);
      if (last.get(caller) === refused) last.delete(caller);
    });
    last.set(caller, refused);
    void ticket.submit(
      [{ item: work, extent: { promptTokens: work.promptTokens, most } }],
      ({ expectedWait }) => {
        foretold ??= expectedWait * 1000;
      },
    );
    if (random() < 0.05) clock.after(random() * 3000, () => ticket.cancel());
  };

  const stepMs = costs.step + (costs.sequence * slots) / workers;
  const perRequest = (MEAN_LENGTH * stepMs) / slots + (35 * costs.promptToken) / workers;
  for (let arrived = 0; arrived < requests; ) {
    const together = 1 + Math.floor(random() * burst);
    for (let n = 0; n < together; n++) arrive();
    arrived += together;
    await clock.advance((exponential(perRequest) * together) / load);
  }
  const drained = queue.drain();
  while (queue.running > 0) await clock.advance(1000);
  await drained;
  return { waits, retries };
}

const loads: Record<string, Load> = {
  "one caller, who sends more than there is room for": {
    slots: 8,
    workers: 1,
    limit: 64,
    requests: 1500,
    callers: [{ weight: 1, priority: 0 }],
    load: 1.3,
    burst: 10,
  },
  "a heavy caller, light ones and one of a higher class": {
    slots: 16,
    workers: 1,
    limit: 128,
    requests: 2000,
    callers: [
      { weight: 4, priority: 0 },
      { weight: 1, priority: 0 },
      { weight: 1, priority: 0 },
      { weight: 1, priority: 1 },
    ],
    load: 1.3,
    burst: 20,
  },
  "several workers, which batch apart": {
    slots: 16,
    workers: 4,
    limit: 64,
    requests: 2000,
    callers: [
      { weight: 2, priority: 0 },
      { weight: 1, priority: 0 },
    ],
    load: 1.3,
    burst: 20,
  },
};

for (const [name, load] of Object.entries(loads)) {
  test(`of ${name}: half of the waits and of the Retry-Afters are foretold within 25 %`, async () => {
    const waits: Forecast[] = [];
    const retries: Forecast[] = [];
    for (const seed of [1, 2, 3]) {
      const told = await run(load, seed);
      waits.push(...told.waits);
      retries.push(...told.retries);
    }
    assert.ok(
      waits.length > 2000 && retries.length > 100,
      `${waits.length} waits, ${retries.length} refusals`,
    );
    for (const forecasts of [waits, retries]) {
      const error = median(forecasts.filter(({ actual }) => actual >= SHORTEST_MS).map(errorOf));
      assert.ok(error <= 0.25, `median error ${error}`);
    }
  });
}
