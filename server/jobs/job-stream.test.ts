import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { EventReader } from "../../ops/server-sent-events.js";
import { jobRequest, openJobs, positionIn, temporaryFolder } from "./fixture.js";
import type { Job, Written } from "./job.js";
import { JobStream, type Position, readEventId } from "./job-stream.js";

interface Event {
  event: string;
  data: { text?: string; tokens?: number; index?: number; position?: number };
}

/** Streams of jobs over HTTP: `follow` reads one to its end, or until it has so many events. */
async function serve(context: TestContext, folder = temporaryFolder(context)) {
  const { jobs, close } = await openJobs(context, folder);
  const ticks = new Set<() => void>();
  let job: Job;
  let from: Position;
  const server = createServer((_req, res) => {
    new JobStream({
      res,
      jobs,
      job,
      from,
      document: async () => ({ id: job.id, state: job.state }),
      standing: () => ({ position: positionIn(jobs.line, job) }),
      every: (_ms, callback) => {
        ticks.add(callback);
        return () => ticks.delete(callback);
      },
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const open = async (of: Job, at = "") => {
    job = of;
    from = at === "" ? [] : (readEventId(at) as Position);
    const response = await fetch(url);
    const reader = new EventReader();
    const decoder = new TextDecoder();
    const chunks = response.body!.getReader();
    const pending: Event[] = [];
    let text = "";
    const next = async (): Promise<Event | null> => {
      while (pending.length === 0) {
        const { done, value } = await chunks.read();
        if (done) return null;
        const piece = decoder.decode(value, { stream: true });
        text += piece;
        for (const { event, data } of reader.push(piece)) pending.push({ event, data: JSON.parse(data) });
      }
      return pending.shift()!;
    };
    const rest = async () => {
      const events: Event[] = [];
      for (let event = await next(); event !== null; event = await next()) events.push(event);
      return events;
    };
    const ids = () => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id!);
    return { next, rest, ids, text: () => text, leave: () => chunks.cancel() };
  };
  const tick = () => {
    for (const callback of [...ticks]) callback();
  };
  const write = (to: Job, sequence: number, text: string, tokens: number) => {
    const written = to.sequences[sequence]!;
    written.text += text;
    written.tokens += tokens;
    jobs.wrote(to);
  };
  return { jobs, open, tick, ticks, write, close };
}

const blank = (): Written => ({ text: "", tokens: 0 });

test("a job is followed from the line to its end, with ids that say how much there was", async (context) => {
  const { jobs, open, tick, ticks, write } = await serve(context);
  const [ahead, job] = [await jobs.accept(jobRequest()), await jobs.accept(jobRequest())];
  const stream = await open(job);
  assert.deepEqual(await stream.next(), { event: "queued", data: { position: 2 } });
  jobs.next();
  tick();
  assert.deepEqual(await stream.next(), { event: "queued", data: { position: 1 } });
  jobs.next();
  job.sequences = [blank()];
  assert.deepEqual(await stream.next(), { event: "running", data: { attempt: 1 } });
  write(job, 0, "안녕", 2);
  assert.deepEqual(await stream.next(), { event: "message", data: { text: "안녕", tokens: 2 } });
  write(job, 0, "하세요", 1);
  await stream.next();
  await jobs.finish(job, { answer: {}, sequences: [{ text: "안녕하세요.", tokens: 4 }] });
  assert.deepEqual(await stream.rest(), [
    { event: "message", data: { text: ".", tokens: 1 } },
    { event: "done", data: { id: job.id, state: "done" } },
  ]);
  assert.deepEqual(stream.ids(), ["2.2", "5.3", "6.4", "end"]);
  assert.equal(job.watchers.size + ticks.size, 0, "nothing is left of it");
  assert.equal(ahead.state, "running");
});

test("a stream goes on where it broke off, also when the text comes in other pieces or is all there", async (context) => {
  const { jobs, open, write } = await serve(context);
  const job = await jobs.accept(jobRequest());
  jobs.next();
  job.sequences = [blank()];
  write(job, 0, "abcdef", 3);
  const stream = await open(job, "4.2");
  await stream.next();
  assert.deepEqual(await stream.next(), { event: "message", data: { text: "ef", tokens: 1 } });
  await stream.leave();
  await jobs.finish(job, { answer: {}, sequences: [{ text: "abcdefgh", tokens: 5 }] });
  const end = { event: "done", data: { id: job.id, state: "done" } };
  const follow = async (id: string) => (await open(job, id)).rest();
  assert.deepEqual(await follow("6.3"), [{ event: "message", data: { text: "gh", tokens: 2 } }, end]);
  assert.deepEqual(await follow("8.5"), [end]);
  assert.deepEqual(await follow(""), [{ event: "message", data: { text: "abcdefgh", tokens: 5 } }, end]);
});

test("a job that runs again says nothing that the client has already", async (context) => {
  const folder = temporaryFolder(context);
  const first = await serve(context, folder);
  const accepted = await first.jobs.accept(jobRequest());
  first.jobs.next();
  accepted.sequences = [blank()];
  first.write(accepted, 0, "abcd", 4);
  await first.close();

  const { jobs, open, write } = await serve(context, folder);
  const job = jobs.find("anna", accepted.id)!;
  const stream = await open(job, "4.4");
  assert.deepEqual(await stream.next(), { event: "queued", data: { position: 1 } });
  jobs.next();
  job.sequences = [blank()];
  assert.deepEqual(await stream.next(), { event: "running", data: { attempt: 2 } });
  write(job, 0, "abc", 3);
  write(job, 0, "def", 3);
  assert.deepEqual(await stream.next(), { event: "message", data: { text: "ef", tokens: 2 } });
  await stream.leave();
});

test("the choices of a job are told apart", async (context) => {
  const { jobs, open, write } = await serve(context);
  const job = await jobs.accept(jobRequest());
  jobs.next();
  job.sequences = [blank(), blank()];
  const stream = await open(job);
  await stream.next();
  write(job, 1, "b", 1);
  assert.deepEqual(await stream.next(), { event: "message", data: { index: 1, text: "b", tokens: 1 } });
  write(job, 0, "a", 1);
  assert.deepEqual(await stream.next(), { event: "message", data: { index: 0, text: "a", tokens: 1 } });
  assert.deepEqual(stream.ids(), ["0.0-1.1", "1.1-1.1"]);
  const again = await open(job, "0.0-1.1");
  await again.next();
  assert.deepEqual(await again.next(), { event: "message", data: { index: 0, text: "a", tokens: 1 } });
  await Promise.all([stream.leave(), again.leave()]);
});

for (const how of ["cancelled", "failed"] as const) {
  test(`a job that is ${how} ends its streams`, async (context) => {
    const { jobs, open } = await serve(context);
    const job = await jobs.accept(jobRequest());
    jobs.next();
    const streams = [await open(job), await open(job)];
    if (how === "cancelled") await jobs.cancel(job);
    else await jobs.fail(job, { code: "worker_lost", status: 500, detail: "lost" });
    for (const stream of streams)
      assert.deepEqual((await stream.rest()).at(-1), { event: how, data: { id: job.id, state: how } });
  });
}

test("a silent stream shows that it lives", async (context) => {
  const { jobs, open, tick } = await serve(context);
  const stream = await open(await jobs.accept(jobRequest()));
  await stream.next();
  for (let n = 0; n < 10; n++) tick();
  const job = jobs.next()!;
  await stream.next();
  assert.match(stream.text(), /^: waiting$/m);
  await jobs.cancel(job);
  await stream.rest();
});

for (const [id, position] of [
  ["0.0", [{ characters: 0, tokens: 0 }]],
  [
    "120.31-95.24",
    [
      { characters: 120, tokens: 31 },
      { characters: 95, tokens: 24 },
    ],
  ],
  ["end", "end"],
  ["", null],
  ["120", null],
  ["-1.0", null],
  ["1.2-", null],
  ["1.2-end", null],
  ["1e3.1", null],
  ["9999999999.1", null],
] as const)
  test(`the id ${JSON.stringify(id)} is read as ${JSON.stringify(position)}`, () =>
    assert.deepEqual(readEventId(id), position));
