import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyResults } from "./fixture.js";
import { holds, targets, targetsTable } from "./targets.js";

const target = (name: string) => {
  const found = targets(tinyResults()).find((one) => one.name.includes(name));
  assert.ok(found, name);
  return found;
};

test("a ratio between systems is of medians at the same number of clients", () => {
  const lone = target("against node-llama-cpp, 1 client");
  assert.equal(lone.figure, 10);
  assert.equal(holds(lone), true);
  const eight = target("against node-llama-cpp, 8 clients");
  assert.equal(eight.figure, 8);
  assert.equal(holds(eight), false, "10 times at 8 clients and more");
});

test("HTTP's share of the engine is the median of the repeats' own shares", () => {
  const share = target("of the engine alone, 8 clients");
  assert.equal(share.figure, 4000 / 4100);
  assert.equal(holds(share), true);
});

test("shares of ceilings, memory and reuse come from their rows", () => {
  assert.equal(target("matrix products' ceiling, batch 32, 64 of 64").figure, 0.65);
  assert.equal(target("reading ceiling, batch 1").figure, 0.25);
  assert.equal(holds(target("reading ceiling, batch 1")), false);
  assert.equal(target("memory a slot").figure, 1.25);
  assert.equal(holds(target("memory a slot")), false);
  assert.equal(target("just served").figure, 0.2);
  assert.equal(holds(target("just served")), true);
});

test("what the run didn't measure is neither met nor missed", () => {
  const torch = target("FastAPI");
  assert.equal(torch.figure, null);
  assert.equal(holds(torch), null);
  const verdicts = targetsTable(tinyResults()).rows.map((row) => row.at(-1));
  assert.ok(verdicts.includes("not measured") && verdicts.includes("met") && verdicts.includes("not met"));
});
