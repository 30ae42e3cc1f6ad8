import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Halt } from "./halt.js";

test("work is done, and is pending while it is under way", async () => {
  const halt = Halt.for(2);
  let end!: (value: string) => void;
  const work = halt.inside(
    1,
    () =>
      new Promise<string>((resolve) => {
        end = resolve;
      }),
  );
  assert.equal(halt.isPending, true);
  end("done");
  assert.equal(await work, "done");
  assert.equal(halt.isPending, false);
});

test("work that fails is over, too", async () => {
  const halt = Halt.for(1);
  await assert.rejects(
    halt.inside(0, () => Promise.reject(new Error("no memory"))),
    /^Error: no memory$/,
  );
  assert.equal(halt.isPending, false);
});

test("once the halt is called nothing begins", () => {
  const halt = Halt.for(1);
  halt.call();
  let begun = false;
  void halt.inside(0, async () => {
    begun = true;
  });
  assert.deepEqual([begun, halt.isPending], [false, false]);
});

test("a worker that died inside holds nobody up once that is known", () => {
  const halt = Halt.for(1);
  void halt.inside(0, () => new Promise(() => {}));
  halt.leave(0);
  assert.equal(halt.isPending, false);
});

test("the main thread blocks until the other has left", async () => {
  const halt = Halt.for(1);
  const source = `
    import { workerData, parentPort } from "node:worker_threads";
    import { Halt } from ${JSON.stringify(new URL("./halt.js", import.meta.url).href)};
    const halt = Halt.over(workerData.buffer);
    const done = new Int32Array(workerData.done);
    await halt.inside(0, async () => {
      parentPort.postMessage("inside");
      // Native work blocks its thread: here until the main thread has called the halt.
      while (Atomics.load(new Int32Array(workerData.buffer), 0) === 0);
      Atomics.store(done, 0, 1);
    });`;
  const done = new SharedArrayBuffer(4);
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const worker = new Worker(url, { workerData: { buffer: halt.buffer, done } });
  await once(worker, "message");
  halt.call();
  halt.wait(60_000);
  assert.equal(Atomics.load(new Int32Array(done), 0), 1);
  await worker.terminate();
});
