import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { jobRequest, openJobs, TestClock, temporaryFolder } from "./fixture.js";
import { recordOf } from "./job.js";

const text = { answer: { generated: "text" }, sequences: [{ text: "text", tokens: 3 }] };

test("jobs in all states, their bodies and results are there after a restart", async (context) => {
  const folder = temporaryFolder(context);
  const first = await openJobs(context, folder);
  const requests = Array.from({ length: 6 }, () => jobRequest());
  const accepted = [];
  for (const request of requests) accepted.push(await first.jobs.accept(request));
  for (let n = 0; n < 4; n++) first.jobs.next();
  const [done, failed, running, alsoRunning, queued, cancelled] = accepted as [...typeof accepted] & {
    length: 6;
  };
  await first.jobs.finish(done!, text);
  await first.jobs.fail(failed!, { code: "worker_lost", status: 500, detail: "lost" });
  await first.jobs.cancel(cancelled!);
  const before = [done!, failed!, cancelled!].map(recordOf);
  await first.close();

  const { jobs, space } = await openJobs(context, folder);
  const find = ({ id }: { id: string }) => jobs.find("anna", id)!;
  assert.deepEqual([done!, failed!, cancelled!].map(find).map(recordOf), before);
  assert.deepEqual(await jobs.resultOf(find(done!)), text);
  assert.equal(space.used, first.space.used);
  assert.deepEqual(
    [running!, alsoRunning!, queued!].map(find).map(({ state }) => state),
    ["queued", "queued", "queued"],
  );
  const order = [jobs.next(), jobs.next(), jobs.next(), jobs.next()].map((job) => job?.id);
  assert.deepEqual(order, [running!.id, alsoRunning!.id, queued!.id, undefined], "what had begun is first");
  assert.equal(find(running!).attempts, 2);
  assert.deepEqual(await jobs.bodyOf(find(running!)), requests[2]!.body);
  const next = await jobs.accept(jobRequest());
  assert.equal(next.order, 7);
});

test("nobody knows of a job before it is on disk, with what belongs to it", async (context) => {
  const folder = temporaryFolder(context);
  const { jobs, store } = await openJobs(context, folder);
  const request = jobRequest();
  const accepting = jobs.accept(request, (job) => [["along", JSON.stringify(job.id)]]);
  assert.equal(jobs.find("anna", request.id), undefined);
  assert.equal(jobs.line.size, 0);
  const job = await accepting;
  assert.equal(await store.get("along"), job.id);
  assert.equal(jobs.find("anna", request.id), job);
});

test("a job belongs to its caller", async (context) => {
  const { jobs } = await openJobs(context, temporaryFolder(context));
  const { id } = await jobs.accept(jobRequest({ caller: "anna" }));
  assert.equal(jobs.find("ben", id), undefined);
  assert.deepEqual(jobs.list("ben", { limit: 10 }), { jobs: [], more: false });
  assert.equal(jobs.list("anna", { limit: 10 }).jobs.length, 1);
});

test("a job ends once: whoever comes second finds it ended", async (context) => {
  const { jobs, store } = await openJobs(context, temporaryFolder(context));
  const job = await jobs.accept(jobRequest());
  jobs.next();
  const ended: string[] = [];
  jobs.onEnd(({ state }) => ended.push(state));
  const failure = { code: "worker_lost", status: 500, detail: "lost" };
  await Promise.all([jobs.cancel(job), jobs.finish(job, text), jobs.fail(job, failure), jobs.cancel(job)]);
  jobs.putBack(job);
  assert.equal(job.state, "cancelled");
  assert.deepEqual(ended, ["cancelled"]);
  assert.equal(await jobs.resultOf(job), undefined);
  assert.equal(await store.get(`body/${job.id}`), undefined, "nobody needs it any more");
});

test("more jobs than may wait are refused, also when they come at once", async (context) => {
  const { jobs } = await openJobs(context, temporaryFolder(context), { limit: 3 });
  const accepting = Array.from({ length: 5 }, () => jobs.accept(jobRequest()));
  const outcomes = await Promise.allSettled(accepting);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "fulfilled", "fulfilled", "rejected", "rejected"],
  );
  assert.equal((outcomes[4] as PromiseRejectedResult).reason.reason, "jobs_full");
  jobs.next();
  await jobs.accept(jobRequest());
});

test("one caller of several has half of the places of waiting jobs, also after a restart", async (context) => {
  const folder = temporaryFolder(context);
  const options = { limit: 4, several: () => true };
  const first = await openJobs(context, folder, options);
  const full = { name: "JobsFull", reason: "caller_jobs_full" };
  const accepting = Array.from({ length: 3 }, () => first.jobs.accept(jobRequest()));
  const [one, , refused] = await Promise.allSettled(accepting);
  assert.equal((refused as PromiseRejectedResult).reason.reason, full.reason);
  await assert.rejects(
    first.jobs.whileArriving("anna", async () => {}),
    full,
  );
  await first.close();
  const { jobs } = await openJobs(context, folder, options);
  await assert.rejects(jobs.accept(jobRequest()), full);
  const bens = await jobs.accept(jobRequest({ caller: "ben" }));
  await jobs.cancel(jobs.find("anna", (one as PromiseFulfilledResult<{ id: string }>).value.id)!);
  await jobs.accept(jobRequest());
  // A running job holds no waiting place; an interrupted one holds it again.
  const running = jobs.next(() => true)!;
  assert.equal(running.caller, "anna");
  await jobs.accept(jobRequest());
  jobs.putBack(running);
  await assert.rejects(jobs.accept(jobRequest({ caller: "ben" })), { reason: "jobs_full" });
  await jobs.cancel(running);
  await jobs.cancel(bens);
  await assert.rejects(jobs.accept(jobRequest()), full);
});

test("one caller of several has half of the store, also after a restart, and is told when a job expires", async (context) => {
  const clock = new TestClock();
  const folder = temporaryFolder(context);
  const options = { maxBytes: 8000, several: () => true, now: clock.now, ttlMs: 100_000 };
  const first = await openJobs(context, folder, options);
  const large = { body: { prompt: "x".repeat(3500) } };
  const full = { name: "JobsFull", reason: "caller_store_full" };
  // Both come at once: the first one's bytes count before it is on disk.
  const [job] = await Promise.allSettled([
    first.jobs.accept(jobRequest(large)),
    assert.rejects(first.jobs.accept(jobRequest(large)), full),
  ]);
  assert.equal(job.status, "fulfilled");
  await first.close();
  const { jobs, space } = await openJobs(context, folder, options);
  await assert.rejects(jobs.accept(jobRequest()), full);
  await jobs.accept(jobRequest({ caller: "ben" }));
  const [stored] = jobs.list("anna", { limit: 1 }).jobs;
  await jobs.cancel(stored!);
  clock.advance(40_000);
  assert.equal(space.retryAfter("anna"), 60);
  clock.advance(60_000);
  await jobs.sweep();
  await jobs.accept(jobRequest());
});

test("a job that the disk did not take holds no bytes", async (context) => {
  const { jobs, space, store } = await openJobs(context, temporaryFolder(context));
  await store.close();
  await assert.rejects(jobs.accept(jobRequest()));
  assert.equal(space.used, 0);
});

test("a full store takes nothing in until something has gone", async (context) => {
  const clock = new TestClock();
  const { jobs, space } = await openJobs(context, temporaryFolder(context), {
    maxBytes: 2000,
    now: clock.now,
    ttlMs: 1000,
  });
  const job = await jobs.accept(jobRequest({ body: { prompt: "x".repeat(3000) } }));
  await assert.rejects(jobs.accept(jobRequest()), { name: "JobsFull", reason: "store_full" });
  await jobs.cancel(job);
  clock.advance(1000);
  await jobs.sweep();
  assert.equal(space.used, 0);
  await jobs.accept(jobRequest());
});

test("what has ended is kept for its time, to the millisecond, and then gone from the disk too", async (context) => {
  const clock = new TestClock();
  const folder = temporaryFolder(context);
  const { jobs, close } = await openJobs(context, folder, { now: clock.now, ttlMs: 60_000 });
  const [job, waiting] = [await jobs.accept(jobRequest()), await jobs.accept(jobRequest())];
  jobs.next();
  await jobs.finish(job, text);
  assert.equal(jobs.expiresAt(job), clock.now() + 60_000);
  clock.advance(59_999);
  await jobs.sweep();
  assert.equal(jobs.find("anna", job.id), job);
  clock.advance(1);
  assert.equal(jobs.find("anna", job.id), undefined);
  assert.deepEqual(jobs.list("anna", { limit: 9 }).jobs, [waiting]);
  await jobs.sweep();
  await close();
  const again = await openJobs(context, folder);
  assert.deepEqual(
    [...again.jobs.all()].map(({ id }) => id),
    [waiting.id],
  );
  assert.equal(await again.store.get(`result/${job.id}`), undefined);
});

test("what is forgotten stays so, whatever is still written about it", async (context) => {
  const folder = temporaryFolder(context);
  const { jobs, close } = await openJobs(context, folder);
  const job = await jobs.accept(jobRequest());
  jobs.next();
  await jobs.finish(job, text);
  await Promise.all([jobs.forget(job), jobs.forget(job)]);
  jobs.saveCallback(job);
  await close();
  assert.deepEqual([...(await openJobs(context, folder)).jobs.all()], []);
});

test("pages go on where they ended, also when jobs have come meanwhile", async (context) => {
  const clock = new TestClock();
  const { jobs } = await openJobs(context, temporaryFolder(context), { now: clock.now });
  const accepted: string[] = [];
  const add = async (endpoint = "/generate") => {
    accepted.push((await jobs.accept(jobRequest({ endpoint }))).id);
    clock.advance(1000);
  };
  for (let n = 0; n < 7; n++) await add(n % 2 ? "/chat" : "/generate");
  const page = (fields: object) => {
    const { jobs: found, more } = jobs.list("anna", { limit: 3, ...fields });
    return { ids: found.map(({ id }) => id), more, before: found.at(-1)?.order };
  };
  const first = page({});
  await add();
  const second = page({ before: first.before });
  const third = page({ before: second.before });
  assert.deepEqual([...first.ids, ...second.ids, ...third.ids], accepted.slice(0, 7).reverse());
  assert.deepEqual([first.more, second.more, third.more], [true, true, false]);
  assert.deepEqual(
    page({ endpoint: "/chat" }).ids,
    [5, 3, 1].map((n) => accepted[n]),
  );
  jobs.next();
  assert.deepEqual(page({ state: "running" }).ids, [accepted[0]]);
  const since = clock.now() - 2000;
  assert.deepEqual(page({ since }).ids, accepted.slice(-2).reverse());
});

test("a store that can't be written to is told, and nothing is accepted there", async (context) => {
  const { jobs, close, errors } = await openJobs(context, temporaryFolder(context));
  const job = await jobs.accept(jobRequest());
  await close();
  await assert.rejects(jobs.accept(jobRequest()), { name: "StoreError" });
  assert.equal(jobs.line.size, 1);
  await jobs.cancel(job);
  assert.deepEqual(errors, [`job ${job.id} (cancelled) cannot be stored: the store is closed`]);
});

test("a result that the disk does not take is there for as long as the process", async (context) => {
  const folder = temporaryFolder(context);
  const { jobs, close } = await openJobs(context, folder);
  const job = await jobs.accept(jobRequest());
  jobs.next();
  await close();
  await jobs.finish(job, text);
  assert.equal(job.state, "done");
  assert.deepEqual(await jobs.resultOf(job), text);
  const again = await openJobs(context, folder);
  assert.equal(again.jobs.find("anna", job.id)?.state, "queued", "it runs again, and comes to the same");
});

test("a body of more levels than can be written is a 422", async (context) => {
  const { jobs } = await openJobs(context, temporaryFolder(context));
  const body = JSON.parse(`{"deep":${"[".repeat(100_000)}${"]".repeat(100_000)}}`) as object;
  await assert.rejects(jobs.accept(jobRequest({ body })), { name: "PublicError", status: 422 });
});

test("a lost body fails its job, a lost result the job that was done, and both are named", async (context) => {
  const folder = temporaryFolder(context);
  const first = await openJobs(context, folder);
  const [done, waiting, whole] = [
    await first.jobs.accept(jobRequest()),
    await first.jobs.accept(jobRequest()),
    await first.jobs.accept(jobRequest()),
  ];
  first.jobs.next();
  await first.jobs.finish(done, text);
  await first.store.write([
    [`body/${waiting.id}`, null],
    [`result/${done.id}`, null],
    ["body/nobody", "{}"],
  ]);
  await first.close();
  const { jobs, errors, store } = await openJobs(context, folder);
  for (const { id } of [done, waiting]) {
    const { state, failure } = jobs.find("anna", id)!;
    assert.deepEqual([state, failure?.code], ["failed", "record_damaged"]);
    assert.ok(errors.some((line) => line.includes(id)));
  }
  assert.ok(errors.some((line) => line.includes("job nobody is lost")));
  assert.equal(await store.get("body/nobody"), undefined);
  assert.equal(jobs.next()?.id, whole.id);
  assert.equal(jobs.next(), undefined);
});

test("while the disk takes no writes jobs are refused, and then what has happened meanwhile is written", async (context) => {
  const root = temporaryFolder(context);
  const folder = join(root, "data");
  const { jobs, store, close } = await openJobs(context, folder);
  const job = await jobs.accept(jobRequest());
  jobs.next();
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "in its place");
  await jobs.finish(job, text);
  assert.deepEqual(await jobs.resultOf(job), text);
  await assert.rejects(jobs.accept(jobRequest()), { name: "PublicError", code: "store_unwritable" });
  const alive = setInterval(() => {}, 1000);
  const writable = new Promise<void>((resolve) => store.onWritable(resolve));
  rmSync(folder);
  await writable;
  clearInterval(alive);
  const next = await jobs.accept(jobRequest());
  await close();
  const again = (await openJobs(context, folder)).jobs;
  assert.deepEqual(await again.resultOf(again.find("anna", job.id)!), text);
  assert.equal(again.find("anna", next.id)?.state, "queued");
});

for (const hours of [25, -25]) {
  test(`a jump of the system's clock by ${hours} h removes no job, and keeps none for ever`, async (context) => {
    const wall = new TestClock();
    const steady = new TestClock();
    const { jobs } = await openJobs(context, temporaryFolder(context), {
      now: wall.now,
      steady: steady.now,
      ttlMs: 60_000,
    });
    const job = await jobs.accept(jobRequest());
    jobs.next();
    await jobs.finish(job, text);
    wall.advance(hours * 3_600_000);
    steady.advance(59_999);
    await jobs.sweep();
    assert.equal(jobs.find("anna", job.id), job);
    steady.advance(1);
    assert.equal(jobs.find("anna", job.id), undefined);
  });
}
