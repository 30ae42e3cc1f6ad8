import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvents } from "../../fixtures/documented-events.js";
import { serveStandIn } from "../../fixtures/stand-in.js";
import { GenerationFailed } from "../../pool/pool.js";

interface Choice {
  index: number;
  generated: string;
}

test("n texts have consecutive seeds, and the first is also the answer's own", async (context) => {
  const { post, jobs, until } = await serveStandIn(context, { hold: true });
  const asked = post("/generate", { prompt: "x", max_tokens: 3, n: 3, seed: 7 });
  await until(() => jobs.length === 3);
  assert.deepEqual(
    jobs.map(({ task }) => task.sampling.seed),
    [
      [7, 0],
      [8, 0],
      [9, 0],
    ],
  );
  for (const job of [...jobs].reverse()) job.finish();
  const answer = (await (await asked).json()) as { choices: Choice[]; generated: string; usage: object };
  assert.deepEqual(
    answer.choices.map(({ index, generated }) => [index, generated]),
    [0, 1, 2].map((index) => [index, "!!!"]),
  );
  assert.equal(answer.generated, "!!!");
  assert.deepEqual(answer.usage, {
    prompt_tokens: 1,
    completion_tokens: 9,
    total_tokens: 10,
    prompt_tokens_details: { cached_tokens: 1 },
    completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  });
});

test("seeds wrap around where integers stop being exact", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const response = await post("/generate", { prompt: "x", n: 2, seed: Number.MAX_SAFE_INTEGER });
  assert.equal(response.status, 200);
  const seeds = jobs.map(({ task }) => task.sampling.seed);
  assert.notDeepEqual(seeds[0], seeds[1]);
});

test("in a stream of several texts, each delta has its text's index", async (context) => {
  const { post, jobs, until, document } = await serveStandIn(context, { hold: true });
  const asked = post("/generate", { prompt: "x", max_tokens: 2, n: 2, stream: true });
  await until(() => jobs.length === 2);
  jobs[1]!.say("b", 1);
  const response = await asked;
  jobs[0]!.finish();
  jobs[1]!.finish();
  const events = await readEvents(response, document);
  const texts = ["", ""];
  for (const { event, data } of events) if (event === "message") texts[data.index] += data.text;
  assert.deepEqual(texts, ["!!", "b!"]);
  assert.equal(events.at(-1)?.data.choices.length, 2);
});

test("if one of several texts fails, the others are cancelled", async (context) => {
  const { post, jobs, until } = await serveStandIn(context, { hold: true });
  const asked = post("/generate", { prompt: "x", n: 3 });
  await until(() => jobs.length === 3);
  jobs[1]!.fail(new GenerationFailed("secret"));
  assert.equal((await asked).status, 500);
  assert.deepEqual(
    jobs.map(({ cancelled }) => cancelled),
    [true, false, true],
  );
});

test("a request's texts beyond the free slots wait", async (context) => {
  const { post, jobs, until } = await serveStandIn(context, { hold: true, slots: 1, limit: 2 });
  const asked = post("/generate", { prompt: "x", n: 3 });
  for (let n = 0; n < 3; n++) {
    await until(() => jobs.length === n + 1);
    jobs[n]!.finish();
  }
  assert.equal((await asked).status, 200);
});

test("when a client leaves, its running and waiting texts are cancelled", async (context) => {
  const { url, jobs, until, queue } = await serveStandIn(context, { hold: true, slots: 1 });
  const controller = new AbortController();
  const asked = fetch(`${url}/generate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "x", n: 3 }),
    signal: controller.signal,
  });
  await until(() => jobs.length === 1);
  controller.abort();
  await assert.rejects(asked);
  await until(() => jobs[0]!.cancelled);
  assert.equal(queue.waiting, 0);
});
