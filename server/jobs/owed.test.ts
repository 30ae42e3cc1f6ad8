/* What the disk did not take of a job's end is kept whole until it does. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Space } from "../store/space.js";
import { Store, type Write } from "../store/store.js";
import { StoreUnwritable } from "../store/store-error.js";
import { jobRequest, temporaryFolder } from "./fixture.js";
import { Jobs } from "./jobs.js";

const result = { answer: { generated: "text" }, sequences: [{ text: "text", tokens: 3 }] };

/** Jobs whose results the disk did not take. `retry` is what the store calls when it can be written again. */
async function withOwed(context: TestContext, count: number) {
  const store = await Store.open(temporaryFolder(context));
  context.after(() => store.close());
  let retry = () => {};
  store.onWritable = (callback) => {
    retry = callback;
  };
  const log = { error: () => {} };
  const jobs = await Jobs.open({ store, space: new Space(1e9), limit: 100, ttlMs: 60_000, log });
  const made = [];
  for (let n = 0; n < count; n++)
    made.push(await jobs.accept(jobRequest({ callbackUrl: "http://receiver/" })));
  for (const _ of made) jobs.next();
  await store.write([]);
  const onDisk = store.write.bind(store);
  store.write = () => Promise.reject(new StoreUnwritable("full"));
  for (const job of made) await jobs.finish(job, result);
  return { store, jobs, made, onDisk, retry: () => retry() };
}

const keysOf = (writes: readonly Write[]) => writes.map(([key]) => key);

test("a job's record never says done before its result is written", async (context) => {
  const { store, jobs, made, retry } = await withOwed(context, 2);
  const written: string[][] = [];
  // The disk is slow: nothing of this is settled.
  store.write = (writes) => {
    written.push(keysOf(writes));
    return new Promise(() => {});
  };
  retry();
  jobs.saveCallback(made[1]!);
  assert.equal(written.length, 2);
  for (const [n, keys] of written.entries()) assert.ok(keys.includes(`result/${made[n]!.id}`), String(keys));
});

test("a result that the disk refuses twice, while its callback is noted, is written the third time", async (context) => {
  const { store, jobs, made, onDisk, retry } = await withOwed(context, 1);
  const [job] = made;
  const refusals: (() => void)[] = [];
  store.write = () =>
    new Promise((_, reject) => void refusals.push(() => reject(new StoreUnwritable("full again"))));
  retry();
  jobs.saveCallback(job!);
  for (const refuse of refusals.splice(0)) refuse();
  await new Promise(setImmediate);
  store.write = onDisk;
  retry();
  await store.write([]);
  assert.deepEqual(await store.get(`result/${job!.id}`), result);
  assert.equal(job!.unsaved, null, "it is not kept in memory, too");
});
