import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FIXTURE_SIZES } from "../../models/fixtures/model.js";
import { LOGIT_BLOCK } from "../../models/shape.js";
import { KvCache } from "./cache/kv-cache.js";
import { Engine } from "./engine.js";
import { ask, shape, vocab } from "./fixtures/asking.js";
import { CountingSession } from "./fixtures/sessions.js";

const { layers, width } = FIXTURE_SIZES;

describe("an engine whose runs fail", () => {
  it("fails the sequences of a run that fails, and no other", async () => {
    const session = new CountingSession();
    const engine = new Engine(session, new KvCache(shape, 4), vocab);
    const survivor = ask(engine, { promptIds: [1], maxTokens: 5 });
    await engine.step();
    const victim = ask(engine, { promptIds: [1, 2, 3], maxTokens: 5 });
    const run = session.run.bind(session);
    session.run = () => Promise.reject(new Error("out of memory"));
    await engine.step();
    session.run = run;
    await engine.run();
    assert.deepEqual(await victim.outcome, { type: "failed", message: "out of memory", form: false });
    assert.equal((await survivor.outcome).type, "finished");
  });

  it("fails a sequence whose logits are not numbers", async () => {
    const engine = new Engine(
      {
        run: async ({ batch, chunk }) => ({
          logits: new Float32Array(batch * vocab).fill(Number.NaN),
          maxima: new Float32Array(batch * Math.ceil(vocab / LOGIT_BLOCK)).fill(Number.NaN),
          present: {
            keys: new Float32Array(layers * batch * width * chunk),
            values: new Float32Array(layers * batch * width * chunk),
          },
        }),
      },
      new KvCache(shape, 1),
      vocab,
    );
    const { outcome } = ask(engine, { promptIds: [1] });
    await engine.run();
    const end = await outcome;
    assert.ok(end.type === "failed" && /not numbers/.test(end.message));
  });
});
