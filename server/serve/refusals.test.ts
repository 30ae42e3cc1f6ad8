import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvents } from "../fixtures/documented-events.js";
import { serveStandIn } from "../fixtures/stand-in.js";
import { VirtualClock } from "../queue/fixtures/virtual-clock.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a caller whose share of the queue is full gets 429 with Retry-After", async (context) => {
  const { post, jobs, until } = await serveStandIn(context, {
    hold: true,
    slots: 1,
    limit: 8,
    queue: { limitOfCaller: 0 },
  });
  const first = post("/generate", { prompt: "x" });
  await until(() => jobs.length === 1);
  const second = await post("/generate", { prompt: "x" });
  assert.equal(second.status, 429);
  assert.match(second.headers.get("retry-after")!, /^[1-9]\d*$/);
  const detail = "This caller's share of the queue is full";
  assert.deepEqual(await second.json(), { detail });
  jobs[0]!.finish();
  assert.equal((await first).status, 200);
});

for (const [deadline, seconds, what] of [
  ["queue", 2, "waiting for a slot"],
  ["firstToken", 3, "the first token"],
  ["total", 0.5, "the whole answer"],
] as const) {
  test(`a passed ${deadline} deadline is a 504 that names it, in a stream an error event`, async (context) => {
    const clock = new VirtualClock();
    const { post, jobs, queue, until, document } = await serveStandIn(context, {
      hold: true,
      slots: deadline === "queue" ? 1 : 8,
      queue: { clock, timeouts: { [deadline]: seconds } },
    });
    const blocking = post("/generate", { prompt: "x" });
    await until(() => jobs.length === 1);
    if (deadline === "queue") clock.timers.clear();
    const plain = post("/generate", { prompt: "x" });
    const stream = post("/generate", { prompt: "x", stream: true });
    while (queue.waiting + queue.running < 3) await turn();
    await clock.advance(seconds * 1000);
    const detail = `The request's deadline has passed: ${seconds} s for ${what}`;
    const response = await plain;
    assert.deepEqual([response.status, await response.json()], [504, { detail }]);
    const events = await readEvents(await stream, document);
    assert.deepEqual(events.at(-1), { event: "error", data: { detail } });
    jobs[0]!.finish();
    assert.equal((await blocking).status, deadline === "queue" ? 200 : 504);
  });
}

test("a prompt with more tokens than the queue can hold is an invalid body", async (context) => {
  const { post } = await serveStandIn(context, { queue: { promptTokens: 5 } });
  const response = await post("/generate", { prompt: "twelve chars" });
  assert.equal(response.status, 422);
  assert.deepEqual(await response.json(), {
    detail: [
      { loc: ["body"], msg: "Value error, expected at most 5 prompt tokens, got 12", type: "value_error" },
    ],
  });
  assert.equal((await post("/generate", { prompt: "five!" })).status, 200);
});
