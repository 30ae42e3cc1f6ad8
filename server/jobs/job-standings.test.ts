import assert from "node:assert/strict";
import { test } from "node:test";
import { mulberry32 } from "../../models/recipe/random.js";
import { holdQueue } from "../queue/fixtures/held-queue.js";
import { COSTS } from "../queue/fixtures/loads.js";
import { type Outcome, SimulatedEngine, type Work } from "../queue/fixtures/simulated-engine.js";
import { VirtualClock } from "../queue/fixtures/virtual-clock.js";
import { Queue } from "../queue/queue.js";
import { type Job, type JobRecord, newJob } from "./job.js";
import { JobStandings } from "./job-standings.js";
import { WaitingLine } from "./waiting-line.js";

let order = 0;
const newcomer = (fields: Partial<JobRecord> = {}): Job =>
  newJob({ order: ++order, caller: "anna", priority: 0, maxTokens: 100, ...fields } as JobRecord);

function hold(count: number, { slots = 2 } = {}) {
  const held = holdQueue({ slots, limit: 100 });
  const line = new WaitingLine(held.clock.now);
  const jobs = Array.from({ length: count }, () => newcomer());
  for (const job of jobs) line.add(job);
  return { ...held, line, jobs, standings: new JobStandings(line, held.queue, held.clock.now) };
}

test("waiting jobs stand in the order in which they will start, and a newcomer where it would come in", () => {
  const { line, jobs, standings } = hold(3);
  line.add(newcomer({ caller: "ben" }));
  assert.deepEqual(
    jobs.map((job) => standings.of(job).position),
    [1, 3, 4],
  );
  assert.equal(standings.of(newcomer()).position, 5);
  assert.equal(standings.of(newcomer({ caller: "cleo" })).position, 3);
  line.remove(jobs[0]!);
  assert.equal(standings.of(jobs[2]!).position, 3);
});

test("jobs wait for the slots that waiting requests leave", () => {
  const { jobs, standings, enter, queue } = hold(3);
  assert.deepEqual(
    jobs.slice(0, 2).map((job) => standings.of(job).waitMs),
    [0, 0],
  );
  const alone = standings.of(jobs[2]!).waitMs!;
  assert.ok(alone > 0);
  for (let n = 0; n < 4; n++) enter(`request ${n}`);
  assert.equal(queue.waiting, 2);
  assert.ok(standings.of(jobs[0]!).waitMs! > alone);
  assert.ok(standings.retryAfter() >= 4, "two requests for each slot, of two seconds each");
});

test("a caller whose share is taken is told when the next of its own jobs starts", () => {
  const { line, standings, enter } = hold(3);
  assert.equal(standings.retryAfterOf("anna"), 1);
  for (let n = 0; n < 4; n++) enter(`request ${n}`);
  const ben = newcomer({ caller: "ben", priority: -5 });
  line.add(ben);
  assert.equal(standings.retryAfterOf("ben"), Math.ceil(standings.of(ben).waitMs! / 1000));
  assert.ok(standings.retryAfterOf("ben") > standings.retryAfterOf("anna"));
});

test("nothing is foretold while the model is loading", () => {
  const clock = new VirtualClock();
  const start = () => assert.fail();
  const queue = new Queue({ limit: 1, slots: 1, capacity: () => 0, start, clock });
  const line = new WaitingLine(clock.now);
  const job = newcomer();
  line.add(job);
  assert.deepEqual(new JobStandings(line, queue, clock.now).of(job), { position: 1, waitMs: null });
});

test("a newcomer of a long line is told about right where it stands", () => {
  const { line, standings } = hold(2000);
  for (const [caller, exact] of [
    ["anna", 2001],
    ["ben", 2],
  ] as const) {
    const job = newcomer({ caller });
    const { position } = standings.of(job);
    assert.ok(Math.abs(position - exact) <= 0.02 * exact, `${caller}: ${position}`);
    line.add(job);
    assert.ok(Math.abs(standings.of(job).position - exact) <= 0.02 * exact + 1, `${caller}, added`);
  }
});

test("standings of a long line are computed at most so often that they take a twentieth of the time", () => {
  let now = 0;
  let walks = 0;
  const { line, jobs, queue } = hold(300);
  const schedule = () => {
    walks++;
    now += 2;
    return queue.behindWaiting();
  };
  const standings = new JobStandings(line, { state: "open", behindWaiting: schedule }, () => now);
  const last = jobs.at(-1)!;
  for (; now < 1000; now++) standings.of(last);
  assert.ok(walks * 2 <= 0.06 * now, `${walks} walks of 2 ms in ${now} ms`);
  line.remove(jobs[0]!);
  now += 100;
  assert.equal(standings.of(last).position, 299);
});

test("when jobs start is foretold about right", async () => {
  const clock = new VirtualClock();
  const random = mulberry32(5);
  const slots = 4;
  const engine = new SimulatedEngine(clock, COSTS);
  const queue = new Queue<Work, Outcome>({
    ...{ limit: 10, slots, clock, capacity: () => slots, start: engine.start },
    written: (outcome) => (outcome.type === "finished" ? outcome.tokens : null),
  });
  queue.open();
  const line = new WaitingLine(clock.now);
  const standings = new JobStandings(line, queue, clock.now);
  const foretold = new Map<Job, number>();
  const errors: number[] = [];
  const dispatch = () => {
    while (queue.running < slots) {
      const job = line.shift();
      if (job === undefined) return;
      const actual = clock.now() - job.createdAt;
      if (actual > 1000) errors.push(Math.abs(Math.log2(foretold.get(job)! / actual)));
      const promptTokens = 40;
      const length = Math.ceil(job.maxTokens * (0.3 + 0.7 * random()));
      const ticket = queue.reserve({ caller: job.caller, priority: 0, sequences: 1, promptTokens });
      const extent = { promptTokens, most: job.maxTokens };
      void ticket.submit([{ item: { promptTokens, length }, extent }])[0]!.then(dispatch);
    }
  };
  for (let n = 0; n < 400; n++) {
    // One caller's, so that nobody comes in before them.
    const job = newcomer({ createdAt: clock.now(), maxTokens: 20 + Math.floor(random() ** 3 * 800) });
    foretold.set(job, standings.of(job).waitMs!);
    line.add(job);
    dispatch();
    await clock.advance(random() < 0.02 ? 20_000 : 100);
  }
  while (queue.running > 0) await clock.advance(1000);
  const sorted = errors.toSorted((one, other) => one - other);
  assert.ok(sorted.length > 200, `${sorted.length} waits`);
  const [median, p90] = [0.5, 0.9].map((share) => sorted[Math.floor(sorted.length * share)]!);
  assert.ok(median! <= 0.15 && p90! <= 0.45, `${median} at the median, ${p90} at 0.9, in powers of two`);
});
