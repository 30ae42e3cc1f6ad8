/* Records that this server did not write stop no start, and are not served. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Callbacks } from "../webhooks/callbacks.js";
import { jobRequest, openJobs, temporaryFolder } from "./fixture.js";
import { recordOf } from "./job.js";

const result = { answer: { generated: "text" }, sequences: [{ text: "text", tokens: 3 }] };

test("a record of which any field is missing or of a wrong type is named and dropped", async (context) => {
  const folder = temporaryFolder(context);
  const first = await openJobs(context, folder);
  const made = await first.jobs.accept(jobRequest({ callbackUrl: "http://receiver/" }));
  first.jobs.next();
  await first.jobs.finish(made, result);
  const sound = recordOf(made);
  const wrong: unknown[] = [null, 7, "job", [], {}, { ...sound, order: 2.5 }, { ...sound, order: 99 }];
  for (const name of Object.keys(sound)) {
    if (name === "endedBySteady") continue;
    wrong.push({ ...sound, [name]: undefined }, { ...sound, [name]: { of: "no use" } });
  }
  wrong.push({ ...sound, callback: { ...sound.callback, url: "nowhere" } });
  for (const trace of [7, {}, { traceparent: 7 }, { traceparent: "00", tracestate: [] }])
    wrong.push({ ...sound, trace });
  await first.store.write(
    wrong.map((value, n) => [`job/${String(n + 2).padStart(16, "0")}`, JSON.stringify(value)]),
  );
  await first.close();

  const second = await openJobs(context, folder);
  assert.deepEqual(
    [...second.jobs.all()].map(({ id }) => id),
    [made.id],
  );
  assert.equal(
    second.errors.filter((line) => /^the stored record job\/\d+ is no job's: it is dropped$/.test(line))
      .length,
    wrong.length,
  );
  assert.ok(second.space.used > 0);
  const send = () => Promise.resolve(200);
  const log = { info: () => {}, warn: () => {} };
  new Callbacks({ jobs: second.jobs, secrets: [], document: async () => ({}), send, log, after: () => {} });
  assert.equal((await second.jobs.accept(jobRequest())).order, 2);
  await second.close();
  const third = await openJobs(context, folder);
  assert.deepEqual(third.errors, []);
});

test("a result of another shape is not served, and its job has failed", async (context) => {
  for (const wrong of [
    null,
    7,
    [],
    {},
    { answer: {} },
    { ...result, sequences: [null] },
    { ...result, answer: "a" },
  ]) {
    const { jobs, store, close } = await openJobs(context, temporaryFolder(context));
    const job = await jobs.accept(jobRequest());
    jobs.next();
    await jobs.finish(job, result);
    await store.write([[`result/${job.id}`, JSON.stringify(wrong)]]);
    assert.equal(await jobs.resultOf(job), undefined, JSON.stringify(wrong));
    assert.equal(job.state, "failed");
    await close();
  }
});
