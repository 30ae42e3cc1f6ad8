import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { ask, follows, mapBounded } from "./evaluate.js";

test("an answer follows only when it names both the place and the role", () => {
  const entry = { question: "?", place: "부산", role: "간호사", unseen: "pair" as const };
  assert.ok(follows("부산 간호사 채용 공고입니다.", entry));
  assert.ok(!follows("부산 약사 채용 공고입니다.", entry));
  assert.ok(!follows("대구 간호사 채용 공고입니다.", entry));
});

test("at most the given number is in flight, and results keep their order", async () => {
  let running = 0;
  let most = 0;
  const results = await mapBounded([5, 1, 4, 2, 3], 2, async (item) => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < item; turn++) await Promise.resolve();
    running--;
    return item * 10;
  });
  assert.deepEqual(results, [50, 10, 40, 20, 30]);
  assert.equal(most, 2);
});

test("asks /chat greedily, and an error status throws with the body", async () => {
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      seen.push([request.method, request.url, JSON.parse(body)]);
      response.statusCode = seen.length === 1 ? 200 : 503;
      response.end(JSON.stringify(seen.length === 1 ? { generated: "네" } : { detail: "full" }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    assert.equal(await ask(url, "안녕?"), "네");
    assert.deepEqual(seen[0], ["POST", "/chat", { prompt: "안녕?", temperature: 0 }]);
    await assert.rejects(ask(url, "안녕?"), /expected status 200 from \/chat, got 503: .*full/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
