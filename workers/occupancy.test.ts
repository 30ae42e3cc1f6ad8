import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Occupancy } from "./occupancy.js";

test("a worker is alone while no other has a sequence, whatever it has itself", () => {
  const occupancy = Occupancy.for(3);
  const alone = () => [0, 1, 2].map((worker) => occupancy.isAlone(worker));
  assert.deepEqual(alone(), [true, true, true]);
  occupancy.enter(1);
  occupancy.enter(1);
  assert.deepEqual(alone(), [false, true, false]);
  occupancy.enter(0);
  assert.deepEqual(alone(), [false, false, false]);
  occupancy.leave(1);
  assert.deepEqual(alone(), [false, false, false]);
  occupancy.leave(1);
  assert.deepEqual(alone(), [true, false, false]);
});

test("the sequences of a worker that is gone no longer count", () => {
  const occupancy = Occupancy.for(2);
  occupancy.enter(1);
  occupancy.enter(1);
  occupancy.clear(1);
  assert.equal(occupancy.isAlone(0), true);
});

test("another thread's sequence is seen", async () => {
  const occupancy = Occupancy.for(2);
  const module = new URL("./occupancy.js", import.meta.url).href;
  const worker = new Worker(
    `import(${JSON.stringify(module)}).then(({ Occupancy }) =>
      Occupancy.over(require("node:worker_threads").workerData).enter(1))`,
    { eval: true, workerData: occupancy.buffer },
  );
  await once(worker, "exit");
  assert.equal(occupancy.isAlone(0), false);
});
