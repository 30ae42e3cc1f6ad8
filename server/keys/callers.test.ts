import assert from "node:assert/strict";
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import { inspect } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { hashKey, type Key, unlimited } from "../settings/key.js";
import { Callers } from "./callers.js";

const key = (name: string, text: string, more: Partial<Key> = {}): Key => ({
  name,
  hash: hashKey(text),
  priority: 0,
  limits: unlimited,
  ...more,
});

test("a key identifies its caller, any other text nobody", () => {
  const callers = new Callers([key("a", "one"), key("b", "two")]);
  assert.equal(callers.identify("one")!.name, "a");
  assert.equal(callers.identify("two")!.name, "b");
  const hash = hashKey("one").toString("hex");
  for (const wrong of [undefined, "", "on", "onee", "One", "a", hash])
    assert.equal(callers.identify(wrong), null);
});

test("without keys everybody is the anonymous caller; an empty list lets nobody in", () => {
  const callers = new Callers(null);
  assert.equal(callers.identify(undefined), callers.anonymous);
  assert.equal(callers.identify("x"), callers.anonymous);
  assert.equal(callers.named("anonymous"), callers.anonymous);
  assert.equal(new Callers([]).identify("x"), null);
  assert.equal(new Callers([]).named("anonymous"), null);
});

test("a key may be named anonymous without being the anonymous caller", () => {
  const callers = new Callers([key("anonymous", "one")]);
  assert.notEqual(callers.identify("one"), callers.anonymous);
});

test("every entry is compared in constant time, whatever the match's position", (context) => {
  const compare = context.mock.method(crypto, "timingSafeEqual");
  syncBuiltinESMExports();
  context.after(() => {
    compare.mock.restore();
    syncBuiltinESMExports();
  });
  const callers = new Callers(Array.from({ length: 10 }, (_, n) => key(`k${n}`, `key ${n}`)));
  for (const presented of ["key 0", "key 5", "key 9", "wrong", "", "x".repeat(10_000)]) {
    compare.mock.resetCalls();
    callers.identify(presented);
    assert.equal(compare.mock.callCount(), 10);
  }
});

test("after replacing the keys, a kept name keeps its caller, and a removed one is nobody", () => {
  const callers = new Callers([key("a", "one"), key("b", "two")]);
  const a = callers.identify("one")!;
  a.arrive();
  callers.replace([key("a", "three", { priority: 4 }), key("c", "one")]);
  assert.equal(callers.identify("three"), a);
  assert.deepEqual([a.priority, a.ledger.total.requests], [4, 1]);
  assert.equal(callers.identify("one")!.name, "c");
  assert.equal(callers.identify("two"), null);
  assert.equal(callers.named("a"), a);
  assert.equal(callers.named("b"), null);
});

test("no object keeps the text of a key", () => {
  const callers = new Callers([key("a", "a-secret-text")]);
  callers.identify("a-secret-text")!.arrive();
  assert.doesNotMatch(inspect(callers, { depth: null, showHidden: true }), /a-secret-text/);
});

test("a flood of wrong keys uses up no memory", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const callers = new Callers([key("a", "one")]);
  const flood = () => {
    for (let n = 0; n < 50_000; n++) callers.identify(`wrong ${n} ${"x".repeat(50)}`);
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = flood();
  const grown = flood() - before;
  // Keeping anything for each of 50,000 keys would take more.
  assert.ok(grown < 1_000_000, `${grown} bytes more`);
});
