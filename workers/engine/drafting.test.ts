import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FREE } from "./cache/grid.js";
import { KvCache } from "./cache/kv-cache.js";
import { Engine } from "./engine.js";
import { ask, count, generate, idsOf, shape, vocab } from "./fixtures/asking.js";
import { CountingSession } from "./fixtures/sessions.js";
import { Thirds } from "./fixtures/thirds.js";
import { UNOBSERVED } from "./observer.js";
import { Said } from "./speculation/said.js";
import { Speculation } from "./speculation/speculation.js";

/** An engine that drafts whatever it can, over a session that refuses another text's rows. */
function draftingEngine() {
  const read = { tokens: 0 };
  const observer = { ...UNOBSERVED, prefilled: (tokens: number) => (read.tokens += tokens) };
  const speculation = new Speculation({
    looksUp: () => true,
    most: (_, drafts) => Math.max(0, ...drafts.map(({ ids }) => ids.length)),
    took() {},
  });
  const cache = new KvCache(shape, 4);
  const engine = new Engine(new CountingSession(), cache, vocab, {
    ...{ observer, speculation, grid: FREE, most: 2 },
  });
  return { engine, read };
}

function saidBefore(...texts: number[][]): Said {
  const said = new Said();
  for (const text of texts) said.add(text);
  return said;
}

describe("an engine that drafts tokens", () => {
  it("counts no drafted token as one of the prompt", async () => {
    const { engine, read } = draftingEngine();
    const said = saidBefore(count(1, 60));
    await generate(engine, { promptIds: count(1, 20) });
    const { sequence, outcome } = ask(engine, { promptIds: count(1, 20), said });
    await engine.run();
    const end = await outcome;
    assert.ok(end.type === "finished" && end.acceptedTokens > 0);
    assert.deepEqual([end.cachedTokens, sequence.computedTokens, read.tokens], [19, 1, 21]);
  });

  it("counts a drafted token that ends the text as one that came true", async () => {
    const { engine } = draftingEngine();
    const said = saidBefore(count(1, 30));
    const end = await generate(engine, { promptIds: count(1, 20), said, eosIds: [30] });
    // The first token is drawn from the prompt's last row, without a draft.
    assert.deepEqual([end.completionTokens, end.acceptedTokens], [10, 8]);
    assert.equal(end.reason, "stop");
  });

  it("keeps the rows of a text, and none of a draft that went wrong", async () => {
    const { engine } = draftingEngine();
    const said = saidBefore([...count(1, 24), 7, 7, 7]);
    const first = await generate(engine, { promptIds: count(1, 20), said });
    assert.deepEqual(idsOf(first.generated), count(21, 20));
    assert.equal(first.draftedTokens - first.acceptedTokens, 3);
    const next = await generate(engine, { promptIds: count(1, 40) });
    assert.deepEqual(idsOf(next.generated), count(41, 20));
    assert.equal(next.cachedTokens, 39);
  });

  it("keeps the rows of a text that an error ends within a draft, and no others", async () => {
    const { engine } = draftingEngine();
    const constraint = new Thirds(20);
    constraint.allowed = () => new Int32Array(vocab).fill(-1);
    constraint.accept = (id) => {
      if (id === 23) throw new Error("no more");
    };
    const { outcome } = ask(engine, { promptIds: count(1, 20), said: saidBefore(count(1, 60)), constraint });
    await engine.run();
    assert.equal((await outcome).type, "failed");
    const next = await generate(engine, { promptIds: count(1, 40) });
    assert.deepEqual(idsOf(next.generated), count(41, 20));
    assert.equal(next.cachedTokens, 22);
  });
});
