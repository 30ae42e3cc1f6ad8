import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KvCache } from "./cache/kv-cache.js";
import { Engine } from "./engine.js";
import { generate, idsOf, shape, vocab } from "./fixtures/asking.js";
import { ConstantSession } from "./fixtures/sessions.js";
import { uniform } from "./sampling/philox.js";

describe("an engine that draws tokens", () => {
  it("draws each token by the generator's number at its position", async () => {
    const engine = new Engine(new ConstantSession(), new KvCache(shape, 1), vocab);
    const seed = [5, 6] as const;
    const sampling = { temperature: 1, seed };
    const ids = idsOf((await generate(engine, { promptIds: [1, 2, 3], sampling })).generated);
    assert.deepEqual(
      ids,
      ids.map((_, i) => Math.floor(uniform(seed, 3 + i) * vocab)),
    );
  });

  it("goes on past the end-of-sequence token until there are enough tokens", async () => {
    const engineOf = () =>
      new Engine(new ConstantSession([7, 3], [8, 2], [0, 1]), new KvCache(shape, 1), vocab);
    const options = { promptIds: [1], eosIds: [7], maxTokens: 9 };
    assert.deepEqual(idsOf((await generate(engineOf(), options)).generated), [7]);
    const end = await generate(engineOf(), { ...options, minTokens: 3 });
    assert.deepEqual([idsOf(end.generated), end.reason], [[8, 8, 8, 7], "stop"]);
  });
});
