import assert from "node:assert/strict";
import { test } from "node:test";
import { AGEING_MS } from "../queue/lanes.js";
import { positionIn } from "./fixture.js";
import { type Job, type JobRecord, newJob } from "./job.js";
import { WaitingLine } from "./waiting-line.js";

let order = 0;
const job = (fields: Partial<JobRecord> = {}): Job =>
  newJob({ order: ++order, caller: "anna", priority: 0, maxTokens: 100, ...fields } as JobRecord);

function drain(line: WaitingLine): Job[] {
  const jobs: Job[] = [];
  for (let next = line.shift(); next !== undefined; next = line.shift()) jobs.push(next);
  return jobs;
}

test("one caller's jobs start in the order in which they came", () => {
  const line = new WaitingLine();
  const jobs = [job(), job({ maxTokens: 5000 }), job()];
  for (const one of jobs) line.add(one);
  assert.deepEqual(
    [...line.order()].map((place) => place.job),
    jobs,
  );
  assert.equal(line.size, 3);
  assert.deepEqual(drain(line), jobs);
});

test("a caller's first job is not behind the five hundred of another", () => {
  const line = new WaitingLine();
  for (let n = 0; n < 500; n++) line.add(job({ caller: "anna" }));
  drainSome(line, 10);
  const first = job({ caller: "ben" });
  line.add(first);
  assert.ok(positionIn(line, first) <= 2, `position ${positionIn(line, first)}`);
});

function drainSome(line: WaitingLine, count: number): void {
  for (let n = 0; n < count; n++) line.shift();
}

test("callers share by tokens, not by jobs", () => {
  const line = new WaitingLine();
  for (let n = 0; n < 100; n++) line.add(job({ caller: "anna", maxTokens: 400 }));
  for (let n = 0; n < 100; n++) line.add(job({ caller: "ben", maxTokens: 100 }));
  const served = { anna: 0, ben: 0 };
  for (let n = 0; n < 50; n++) {
    const next = line.shift()!;
    served[next.caller as keyof typeof served] += next.maxTokens;
  }
  assert.ok(Math.abs(served.anna - served.ben) <= 400, JSON.stringify(served));
});

test("a higher priority goes first, and waiting raises it", () => {
  let now = 0;
  const line = new WaitingLine(() => now);
  const low = job({ priority: -1 });
  line.add(low);
  const urgent = job({ priority: 2 });
  line.add(urgent);
  assert.equal(line.shift(), urgent);
  for (; now < AGEING_MS; now += 1000) {
    line.add(job({ caller: "ben" }));
    assert.notEqual(line.shift(), low);
  }
  line.add(job({ caller: "ben" }));
  line.add(job({ caller: "ben" }));
  assert.ok(
    [line.shift(), line.shift()].includes(low),
    "it counts as one of them, and it is its caller's turn",
  );
});

test("a job that leaves moves the others up, and interrupted ones are the next, in the order of acceptance", () => {
  const line = new WaitingLine();
  const jobs = [job(), job(), job(), job({ priority: 9 })] as const;
  for (const one of jobs) line.add(one);
  line.remove(jobs[0]);
  line.remove(jobs[0]);
  assert.equal(line.shift(), jobs[3]);
  assert.equal(line.shift(), jobs[1]);
  assert.equal(positionIn(line, jobs[2]), 1);
  line.putBack(jobs[3]);
  line.putBack(jobs[1]);
  assert.equal(line.size, 3);
  assert.equal(positionIn(line, jobs[2]), 3);
  assert.deepEqual(drain(line), [jobs[1], jobs[3], jobs[2]]);
  line.putBack(jobs[1]);
  line.remove(jobs[1]);
  assert.equal(line.size, 0);
});

test("jobs of a caller who may not start yet are passed, and keep their places", () => {
  const line = new WaitingLine();
  const [interrupted, first, second] = [job(), job(), job()];
  const others = [job({ caller: "ben" }), job({ caller: "ben" })];
  for (const one of [first, second, ...others]) line.add(one);
  line.putBack(interrupted);
  const notAnna = (caller: string) => caller !== "anna";
  assert.deepEqual([line.shift(notAnna), line.shift(notAnna), line.shift(notAnna)], [...others, undefined]);
  assert.deepEqual(drain(line), [interrupted, first, second]);
});
