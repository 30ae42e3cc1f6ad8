import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KvCache } from "./cache/kv-cache.js";
import { ConstraintError } from "./constraint.js";
import { Engine } from "./engine.js";
import { ask, count, generate, idsOf, shape, vocab } from "./fixtures/asking.js";
import { ConstantSession, CountingSession } from "./fixtures/sessions.js";
import { Thirds } from "./fixtures/thirds.js";

describe("an engine that holds sequences to forms", () => {
  it("holds a sequence to its form, and ends it with the form", async () => {
    const constraint = new Thirds(4);
    const engine = new Engine(new ConstantSession([7, 3], [8, 2], [0, 1]), new KvCache(shape, 1), vocab);
    const end = await generate(engine, { promptIds: [1], constraint, minTokens: 8 });
    assert.deepEqual([idsOf(end.generated), end.reason], [[0, 7, 8, 0], "stop"]);
    assert.equal(engine.size, 0);
  });

  it("draws nothing for a form that is complete at its beginning", async () => {
    const constraint = new Thirds(0);
    const engine = new Engine(new ConstantSession([7, 3], [8, 2], [0, 1]), new KvCache(shape, 1), vocab);
    const end = await generate(engine, { promptIds: [1, 2, 3], constraint });
    assert.deepEqual([end.generated, end.reason, end.completionTokens], ["", "stop", 0]);
  });

  it("frees the slots of sequences with a form that are cancelled or fail, wherever they are", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 2), vocab);
    const cancelled = [1, 2, 3].map((id) => {
      const constraint = new Thirds(50);
      constraint.allowed = () => new Int32Array(vocab).fill(-1);
      constraint.accept = () => {};
      return ask(engine, { promptIds: id === 2 ? count(1, 100) : [id], constraint });
    });
    await engine.step();
    for (const { sequence } of cancelled) sequence.cancelled = true;
    await engine.run();
    for (const { outcome } of cancelled) assert.equal((await outcome).type, "cancelled");

    const constraint = new Thirds(5);
    constraint.allowed = () => new Int32Array(vocab);
    const { outcome } = ask(engine, { promptIds: [1], constraint });
    await engine.run();
    const end = await outcome;
    assert.ok(end.type === "failed" && /no token can continue/.test(end.message));
    assert.equal(engine.size, 0);
  });

  it("tells that a sequence failed for the form that it was to have", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 1), vocab);
    const constraint = new Thirds(10);
    constraint.allowed = () => {
      throw new ConstraintError("expected less");
    };
    const { outcome } = ask(engine, { promptIds: [1], constraint });
    await engine.run();
    assert.deepEqual(await outcome, { type: "failed", message: "expected less", form: true });
  });
});
