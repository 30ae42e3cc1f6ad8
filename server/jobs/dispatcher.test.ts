import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompiledForm } from "../../workers/protocol.js";
import { finished } from "../fixtures/finished.js";
import { scriptedTask } from "../fixtures/scripted-pool.js";
import { Callers } from "../keys/callers.js";
import type { Outcome, Task } from "../pool/pool.js";
import { Queue } from "../queue/queue.js";
import type { Refusal } from "../queue/refusal.js";
import type { Operation } from "../requests/operation.js";
import { hashKey, unlimited } from "../settings/key.js";
import { Telemetry } from "../telemetry/telemetry.js";
import type { Reader } from "../texts/texts.js";
import { Dispatcher } from "./dispatcher.js";
import { jobRequest, openJobs, TestClock, temporaryFolder } from "./fixture.js";

const operation: Operation = {
  path: "/generate",
  parse: () => ({
    ...{ sequences: 1, promptChars: 1, maxTokens: 1, stream: false, timeouts: {} },
    prepare: async (id) => ({
      tasks: [{ ...scriptedTask(id), grammar: null }],
      answer: () => ({}),
      events: () => assert.fail("nobody streams it"),
    }),
  }),
};
const anna = {
  ...{ name: "anna", hash: hashKey("anna"), priority: 0 },
  limits: { ...unlimited, concurrentRequests: 1 },
};

// Otherwise the job would wait until somebody else's request ends.
for (const obstacle of ["the queue", "its caller's limit"])
  test(`a job put off by ${obstacle} is tried again by a timer that fires a moment early`, async (context) => {
    const { jobs } = await openJobs(context, temporaryFolder(context));
    const callers = new Callers([anna]);
    let refusal: Refusal | null = null;
    const queue = new Queue<Task, Outcome>({
      ...{ limit: 4, slots: 2, capacity: () => 2 },
      start: () => ({ outcome: Promise.resolve(finished()), cancel: () => {} }),
      refuses: () => refusal,
    });
    queue.open();
    const clock = new TestClock();
    let tellPutOff: (ms: number) => void = () => {};
    const putOff = new Promise<number>((resolve) => {
      tellPutOff = resolve;
    });
    const note = () => {};
    new Dispatcher({
      ...{ jobs, queue, callers, operations: [operation], telemetry: new Telemetry() },
      forms: { check: async () => ({}) as CompiledForm },
      texts: { reader: () => ({}) as Reader },
      log: { error: note, warn: note, info: note, debug: note },
      now: clock.now,
      after: (ms, callback) => {
        clock.after(ms - 0.5, callback);
        tellPutOff(ms);
      },
    });
    const ended = new Promise<void>((resolve) => jobs.onEnd(() => resolve()));
    let lease = { settle: () => {} };
    if (obstacle === "the queue") refusal = "memory_limited";
    else lease = callers.named("anna")!.admit({ tokens: 1 });
    const job = await jobs.accept(jobRequest());
    const ms = await putOff;
    assert.equal(job.state, "queued");
    refusal = null;
    lease.settle();
    clock.advance(ms - 0.5);
    await ended;
    assert.deepEqual([job.state, job.failure], ["done", null]);
  });
