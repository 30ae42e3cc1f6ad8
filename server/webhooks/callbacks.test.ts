import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { jobRequest, openJobs, TestClock, temporaryFolder } from "../jobs/fixture.js";
import type { Job } from "../jobs/job.js";
import type { CallbackRequest } from "./callback-request.js";
import { Callbacks } from "./callbacks.js";
import { signedHeaders } from "./signature.js";

const secrets = [Buffer.alloc(32, 1)];
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Callbacks whose receiver answers as the test says. */
async function start(context: TestContext, folder = temporaryFolder(context), clock = new TestClock()) {
  const opened = await openJobs(context, folder, { now: clock.now, ttlMs: 1e9 });
  const requests: CallbackRequest[] = [];
  const waiting: { url: string; answer: (status: number | Error) => Promise<void> }[] = [];
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const callbacks = new Callbacks({
    jobs: opened.jobs,
    secrets,
    document: async ({ id, state }: Job) => ({ id, state }),
    send: (request) => {
      requests.push(request);
      return new Promise((resolve, reject) => {
        const answer = async (status: number | Error) => {
          if (typeof status === "number") resolve(status);
          else reject(status);
          await turn();
        };
        waiting.push({ url: request.url, answer });
      });
    },
    log: { info: note, warn: note },
    now: clock.now,
    after: clock.after,
    random: () => 0.5,
  });
  const end = async (callbackUrl: string, caller = "anna") => {
    const job = await opened.jobs.accept(jobRequest({ callbackUrl, caller }));
    opened.jobs.next();
    await opened.jobs.finish(job, { answer: {}, sequences: [] });
    clock.advance(0);
    await turn();
    return job;
  };
  return { ...opened, callbacks, folder, clock, requests, waiting, lines, end };
}

test("a job's end is sent at once, signed", async (context) => {
  const { end, requests, waiting, clock } = await start(context);
  const job = await end("https://example.com/hook");
  const body = JSON.stringify({ id: job.id, state: "done" });
  const seconds = Math.floor(clock.now() / 1000);
  const headers = signedHeaders(secrets, { id: job.id, seconds, body });
  assert.deepEqual(requests, [{ url: "https://example.com/hook", body, headers }]);
  await waiting[0]!.answer(200);
  assert.equal(job.callback?.state, "delivered");
  assert.equal(job.callback?.attempts, 1);
  assert.deepEqual(clock.pending, []);
});

test("callbacks not answered with 2xx are sent again, after pauses that double up to an hour, for a day", async (context) => {
  const { end, waiting, clock, lines } = await start(context);
  const job = await end("https://example.com/");
  const pauses: number[] = [];
  const answers = [500, new Error("connect ECONNREFUSED"), 302, 404];
  while (job.callback?.state === "pending") {
    await waiting.pop()!.answer(answers[pauses.length % answers.length]!);
    const [pause] = clock.pending;
    if (pause === undefined) break;
    pauses.push(pause / 1000);
    clock.advance(pause);
    await turn();
  }
  assert.deepEqual(pauses.slice(0, 5), [5, 10, 20, 40, 80]);
  assert.equal(Math.max(...pauses), 3600);
  const total = pauses.reduce((sum, pause) => sum + pause, 0);
  assert.ok(total <= 86_400 && total > 82_000, `${total} s`);
  assert.equal(job.callback?.state, "failed");
  assert.equal(lines[1], `${job.id} - callback 2: connect ECONNREFUSED`);
});

test("after 410 Gone, a callback is not sent again", async (context) => {
  const { end, waiting, clock } = await start(context);
  const job = await end("https://example.com/");
  await waiting[0]!.answer(410);
  assert.equal(job.callback?.state, "failed");
  assert.deepEqual(clock.pending, []);
});

test("undelivered callbacks are sent after a restart, when they are due", async (context) => {
  const first = await start(context);
  const job = await first.end("https://example.com/");
  await first.waiting[0]!.answer(503);
  await first.end("https://example.org/");
  await first.close();
  // The second attempt was running when the process ended: it may or may not have arrived, so it is repeated.
  const again = await start(context, first.folder, first.clock);
  again.clock.advance(0);
  await turn();
  assert.deepEqual(
    again.requests.map(({ url }) => url),
    ["https://example.org/"],
  );
  again.clock.advance(5000);
  await turn();
  const [, second] = again.requests;
  assert.equal(second?.headers["webhook-id"], job.id);
  await again.waiting[1]!.answer(200);
  assert.equal(again.jobs.find("anna", job.id)?.callback?.attempts, 2);
});

test("a slow receiver doesn't hold up callbacks to others", async (context) => {
  const { end, waiting } = await start(context);
  for (let n = 0; n < 20; n++) await end("https://slow.example/");
  await end("https://fast.example/");
  const urls = waiting.map(({ url }) => url);
  assert.deepEqual(urls, [...Array(4).fill("https://slow.example/"), "https://fast.example/"]);
  await waiting[0]!.answer(200);
  assert.equal(waiting.length, 6, "the next callback is sent");
});

test("receivers of one caller that hang delay no callback of another", async (context) => {
  const { end, waiting } = await start(context);
  for (let n = 0; n < 100; n++) await end(`https://hangs-${n}.example/`, "mallory");
  const hanging = waiting.length;
  await end("https://fine.example/", "bert");
  assert.deepEqual([hanging, waiting.at(-1)!.url], [12, "https://fine.example/"]);
});

test("receivers that answer don't wait for others of their caller that hang", async (context) => {
  const { end, waiting, clock } = await start(context);
  await end("https://fine.example/");
  await waiting[0]!.answer(200);
  for (let n = 0; n < 100; n++) await end(`https://hangs-${n}.example/`);
  await end("https://fine.example/");
  assert.equal(waiting.length, 1 + 12 + 1);
  assert.equal(waiting.at(-1)!.url, "https://fine.example/");
  // Receivers that hung get fewer places when their callbacks are sent again.
  while (waiting.length < 102)
    for (const one of waiting) await one.answer(new Error("no answer within 15 s"));
  waiting.length = 0;
  clock.advance(5000);
  await turn();
  assert.equal(waiting.length, 4);
});

test("no callbacks are sent for a removed job", async (context) => {
  const { end, jobs, waiting, clock, requests } = await start(context);
  const job = await end("https://example.com/");
  await waiting[0]!.answer(500);
  await jobs.forget(job);
  clock.advance(60_000);
  await turn();
  assert.equal(requests.length, 1);
});

test("many callbacks that are due at once are each sent once, within the caps, and no host waits for another", async (context) => {
  const { end, requests, waiting } = await start(context);
  for (let n = 0; n < 300; n++) await end(`https://slow.example/${n}`);
  for (let n = 0; n < 30; n++) await end(`https://host-${n}.example/`);
  // Four to the slow host, and eight to others: nobody knows yet which of a caller's receivers answer.
  assert.equal(requests.length, 12);
  const others = () => waiting.filter(({ url }) => url.includes("host-"));
  for (let n = 0; n < 30; n++) await others()[n]!.answer(200);
  assert.equal(requests.filter(({ url }) => url.includes("host-")).length, 30);
  assert.equal(requests.filter(({ url }) => url.includes("slow")).length, 4);
  const slow = () => waiting.filter(({ url }) => url.includes("slow"));
  for (let n = 0; n < 300; n++) await slow()[n]!.answer(200);
  assert.equal(new Set(requests.map(({ url }) => url)).size, 330);
  assert.equal(requests.length, 330);
});

test("attempts are counted by how they ended, and callbacks that are still to be delivered", async (context) => {
  const { end, callbacks, waiting, clock, jobs } = await start(context);
  await end("https://example.com/");
  assert.deepEqual(callbacks.counts, { delivered: 0, retried: 0, failed: 0, pending: 1 });
  await waiting[0]!.answer(500);
  assert.deepEqual(callbacks.counts, { delivered: 0, retried: 1, failed: 0, pending: 1 });
  clock.advance(clock.pending[0]!);
  await turn();
  await waiting[1]!.answer(200);
  assert.deepEqual(callbacks.counts, { delivered: 1, retried: 1, failed: 0, pending: 0 });
  await end("https://example.com/");
  await waiting[2]!.answer(410);
  assert.deepEqual(callbacks.counts, { delivered: 1, retried: 1, failed: 1, pending: 0 });
  const removed = await end("https://example.com/");
  assert.equal(callbacks.counts.pending, 1);
  await jobs.forget(removed);
  assert.equal(callbacks.counts.pending, 0, "a removed job's callback is not sent");
});
