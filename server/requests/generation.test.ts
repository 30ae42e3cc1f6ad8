import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { readEvents } from "../fixtures/documented-events.js";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { GenerationFailed } from "../pool/pool.js";
import { VirtualClock } from "../queue/fixtures/virtual-clock.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function serve(context: TestContext, slots = 4) {
  const callers = new Callers(null);
  const standIn = await serveStandIn(context, { hold: true, slots, callers });
  const { total } = callers.anonymous.ledger;
  return { ...standIn, used: () => [total.promptTokens, total.completionTokens] };
}

test("a caller is charged the prompt once, and the tokens of every text", async (context) => {
  const { post, jobs, until, used } = await serve(context);
  const asked = post("/generate", { prompt: "abc", max_tokens: 5, n: 2 });
  await until(() => jobs.length === 2);
  for (const job of jobs) job.finish();
  await (await asked).json();
  assert.deepEqual(used(), [3, 10]);
});

test("a caller that leaves is charged the tokens written until then", async (context) => {
  const { url, jobs, until, used } = await serve(context, 1);
  const controller = new AbortController();
  const asked = fetch(`${url}/generate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "abc", n: 2 }),
    signal: controller.signal,
  });
  await until(() => jobs.length === 1);
  controller.abort();
  await assert.rejects(asked);
  await until(() => jobs[0]!.cancelled);
  await turn();
  // The stand-in reports three tokens for the cancelled text; the second text never started.
  assert.deepEqual(used(), [3, 3]);
});

/** The stand-in has computed two tokens of each prompt when it is told to stop. */
const inPrefill = { hold: true, cancelled: { promptTokens: 2, completionTokens: 0 } };

test("a caller that leaves during the prefill is charged the tokens of the prompt that were computed", async (context) => {
  const callers = new Callers(null);
  const { url, jobs, until, queue } = await serveStandIn(context, { ...inPrefill, slots: 2, callers });
  const leaving = [new AbortController(), new AbortController()] as const;
  const ask = (n: number, { signal }: AbortController) =>
    fetch(`${url}/generate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "abcde", n }),
      signal,
    });
  const first = assert.rejects(ask(2, leaving[0]));
  await until(() => jobs.length === 2);
  const second = assert.rejects(ask(1, leaving[1]));
  while (queue.waiting < 1) await turn();
  leaving[1].abort();
  await second;
  while (queue.waiting > 0) await turn();
  leaving[0].abort();
  await first;
  while (queue.running + queue.waiting > 0) await turn();
  const { promptTokens, completionTokens } = callers.anonymous.ledger.total;
  // Two sequences read two tokens each of one prompt; the other request never ran.
  assert.deepEqual([promptTokens, completionTokens], [4, 0]);
  assert.equal(callers.anonymous.ledger.total.requests, 2);
});

test("one prompt is charged once at most, however many sequences have read it", async (context) => {
  const callers = new Callers(null);
  const { post, jobs, until, queue } = await serveStandIn(context, { ...inPrefill, callers });
  const asked = post("/generate", { prompt: "abc", n: 2 });
  await until(() => jobs.length === 2);
  queue.clear();
  assert.equal((await asked).status, 503);
  assert.equal(callers.anonymous.ledger.total.promptTokens, 3);
});

test("a request that times out is charged what was computed until its worker let go of it", async (context) => {
  for (const [cancelled, expected] of [
    [inPrefill.cancelled, [2, 0]],
    [{ completionTokens: 7 }, [5, 7]],
  ] as const) {
    const clock = new VirtualClock();
    const callers = new Callers(null);
    const options = { hold: true, slots: 1, cancelled, callers, queue: { clock } };
    const { post, jobs, until, queue } = await serveStandIn(context, options);
    const asked = post("/generate", { prompt: "abcde", timeout: { total: 3 } });
    await until(() => jobs.length === 1);
    const waiting = post("/generate", { prompt: "abcde", timeout: { queue: 2 } });
    while (queue.waiting < 1) await turn();
    await clock.advance(3000);
    assert.deepEqual([(await asked).status, (await waiting).status], [504, 504]);
    const { promptTokens, completionTokens } = callers.anonymous.ledger.total;
    assert.deepEqual([promptTokens, completionTokens], expected);
  }
});

test("a caller is charged the tokens that a failed text had streamed", async (context) => {
  const { post, jobs, until, used } = await serve(context);
  const asked = post("/generate", { prompt: "abc", stream: true });
  await until(() => jobs.length === 1);
  jobs[0]!.say("ab", 2);
  jobs[0]!.fail(new GenerationFailed("secret"));
  await (await asked).text();
  assert.deepEqual(used(), [3, 2]);
});

test("a caller is charged nothing for a refused request", async (context) => {
  const { post, used } = await serve(context);
  assert.equal((await post("/generate", { prompt: " " })).status, 422);
  assert.equal((await post("/generate", { prompt: "x", logit_bias: { "1000": 1 } })).status, 422);
  assert.deepEqual(used(), [0, 0]);
});

test("the forecast for several texts takes each as max_tokens long, however long their prompt", async (context) => {
  const clock = new VirtualClock();
  const { post, jobs, until, queue, document } = await serveStandIn(context, {
    hold: true,
    slots: 1,
    queue: { clock },
  });
  // Teaches the forecast a pace of 10 ms per token: 100 tokens in one second.
  const first = post("/generate", { prompt: "x", max_tokens: 100 });
  await until(() => jobs.length === 1);
  await clock.advance(1000);
  jobs[0]!.finish();
  await first;
  const two = post("/generate", { prompt: "x".repeat(200), max_tokens: 16, n: 2 });
  await until(() => jobs.length === 2);
  const waiting = await post("/generate", { prompt: "x", max_tokens: 1, stream: true });
  queue.clear();
  await two;
  const [told] = await readEvents(waiting, document);
  const { expected_wait: wait } = told!.data as { expected_wait: number };
  // Two texts of 16 tokens each, and two prompts that cost as much as 10 tokens each.
  assert.ok(Math.abs(wait - 0.52) < 0.1, `expected about 0.52 s, got ${wait}`);
});

/** Forms that never finish compiling, unless aborted. `asked` resolves when the first one is requested. */
function endlessForms() {
  let ask!: () => void;
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  const check = (_source: unknown, _caller: string, signal?: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
      ask();
    });
  return { asked, forms: { check } };
}

test("a client that leaves while its form is compiled frees its place", async (context) => {
  const { asked: begun, forms } = endlessForms();
  const { url, post } = await serveStandIn(context, { slots: 1, limit: 0, forms });
  const controller = new AbortController();
  const asked = fetch(`${url}/generate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "x", regex: "a" }),
    signal: controller.signal,
  });
  await begun;
  assert.equal((await post("/generate", { prompt: "x" })).status, 503);
  controller.abort();
  await assert.rejects(asked);
  while ((await post("/generate", { prompt: "x" })).status !== 200) await turn();
});

test("a deadline that passes while a form is compiled ends the request", async (context) => {
  const clock = new VirtualClock();
  const { asked: begun, forms } = endlessForms();
  const { post } = await serveStandIn(context, { queue: { clock }, forms });
  const asked = post("/generate", { prompt: "x", regex: "a", timeout: { total: 3 } });
  await begun;
  await clock.advance(3000);
  const response = await asked;
  assert.equal(response.status, 504);
});

test("the end of a drain ends a request whose form is still being compiled", async (context) => {
  const { asked: begun, forms } = endlessForms();
  const { post, queue } = await serveStandIn(context, { forms });
  const asked = post("/generate", { prompt: "x", regex: "a" });
  await begun;
  const drained = queue.drain();
  queue.clear();
  await drained;
  assert.equal((await asked).status, 503);
});
