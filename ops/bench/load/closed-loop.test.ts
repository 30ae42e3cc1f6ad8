import assert from "node:assert/strict";
import { test } from "node:test";
import { closedLoop, closedLoopFigures, tokensPerSecond, tokensThatFit } from "./closed-loop.js";

const whole = (asked: number, ended: number, tokens: number) => ({ asked, ended, tokens, arrivals: [] });
const request = { text: "a", ids: [1], maxTokens: 4, temperature: 0, topK: 0, seed: 0, stream: false };

test("clients that end together: all tokens divided by the whole time", () => {
  const client = [whole(0, 1000, 50), whole(1000, 2000, 50)];
  assert.equal(tokensPerSecond([client, client]), 100);
});

test("for a server that serves one client after another, all tokens until the end count", () => {
  const clients = [1, 2, 3, 4].map((turn) => [whole(0, 1000 * turn, 50)]);
  assert.equal(tokensPerSecond(clients), 50);
});

test("a long tail with only one client left doesn't count", () => {
  const steady = Array.from({ length: 10 }, (_, i) => whole(1000 * i, 1000 * (i + 1), 100));
  const late = [whole(0, 9000, 100), whole(9000, 29_000, 100)];
  assert.equal(tokensPerSecond([steady, steady, steady, late]), 310);
});

test("of a streamed answer, the tokens that had arrived count", () => {
  const streamed = {
    asked: 0,
    ended: 2000,
    tokens: 40,
    arrivals: Array.from({ length: 40 }, (_, i) => ({ at: 50 * (i + 1), count: 1 })),
  };
  assert.equal(tokensPerSecond([[whole(0, 1000, 20)], [streamed]]), 40);
});

test("every client asks at least once, and repeats until the time is over", async () => {
  let asked = 0;
  const exchanges = await closedLoop(
    async ({ maxTokens }) => {
      asked++;
      return maxTokens;
    },
    { clients: 3, seconds: 0, next: () => request },
  );
  assert.equal(asked, 3);
  assert.equal(closedLoopFigures(exchanges).requests, 3);
});

test("after a failure the loop ends once every client's request has ended", async () => {
  let open = 0;
  let turn = 0;
  const ask = async () => {
    open++;
    const mine = turn++;
    await new Promise(setImmediate);
    open--;
    if (mine === 1) throw new Error("broken");
    return 4;
  };
  await assert.rejects(closedLoop(ask, { clients: 4, seconds: 3600, next: () => request }), /broken/);
  assert.equal(open, 0);
});

test("a slow system is asked for fewer tokens, one that is far too slow for none", () => {
  const wishes = { wanted: 150, least: 16, seconds: 10 };
  assert.equal(tokensThatFit(1000, 32, wishes), 150);
  assert.equal(tokensThatFit(250, 32, wishes), 78);
  assert.equal(tokensThatFit(8, 8, wishes), 16, "within three times the time");
  assert.equal(tokensThatFit(8, 128, wishes), null);
});
