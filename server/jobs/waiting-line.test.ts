import assert from "node:assert/strict";
import { test } from "node:test";
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
    jobs.map((one) => line.position(one)),
    [1, 2, 3],
  );
  assert.equal(line.position(job()), 4, "where one would come in");
  assert.equal(line.size, 3);
  assert.deepEqual(drain(line), jobs);
});

test("a caller's first job is not behind the five hundred of another", () => {
  const line = new WaitingLine();
  for (let n = 0; n < 500; n++) line.add(job({ caller: "anna" }));
  drainSome(line, 10);
  const first = job({ caller: "ben" });
  line.add(first);
  assert.ok(line.position(first) <= 2, `position ${line.position(first)}`);
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

test("a higher priority goes first, and what it passes has its turn all the same", () => {
  const line = new WaitingLine();
  const low = job({ priority: -1, maxTokens: 1000 });
  line.add(low);
  const urgent = job({ priority: 2, maxTokens: 1000 });
  line.add(urgent);
  assert.equal(line.shift(), urgent);
  let passed = 0;
  for (;;) {
    line.add(job({ caller: `caller ${passed % 3}`, maxTokens: 1000 }));
    if (line.shift() === low) break;
    assert.ok(++passed < 1000, "it starves");
  }
  assert.ok(passed > 10, `priority counts for something, not ${passed}`);
});

test("a job that leaves moves the others up, and one that is put back is the next", () => {
  const line = new WaitingLine();
  const jobs = [job(), job(), job(), job({ priority: 9 })] as const;
  for (const one of jobs) line.add(one);
  line.remove(jobs[0]);
  line.remove(jobs[0]);
  assert.equal(line.shift(), jobs[3]);
  assert.equal(line.shift(), jobs[1]);
  assert.equal(line.position(jobs[2]), 1);
  line.putBack(jobs[3]);
  line.putBack(jobs[1]);
  assert.deepEqual(drain(line), [jobs[1], jobs[3], jobs[2]]);
});
