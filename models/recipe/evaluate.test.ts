import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { Question } from "./corpus.js";
import { ask, examine, mapBounded, tableOf } from "./evaluate.js";
import { korean } from "./korean/index.js";

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

/** Answers each request with the next of `replies`; a number is a status. */
async function withServer(
  replies: readonly ([text: string, reason?: string] | number)[],
  work: (url: string, seen: Record<string, unknown>[]) => Promise<void>,
) {
  const seen: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const reply = replies[seen.length]!;
      seen.push({ url: request.url, ...JSON.parse(body) });
      if (typeof reply === "number") response.writeHead(reply).end('{"error":"full"}');
      else {
        const [content, finish_reason = "stop"] = reply;
        response.end(JSON.stringify({ choices: [{ message: { content }, finish_reason }] }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const question: Question = {
  kind: "thanks",
  wordings: "unseen",
  system: "짧게.",
  questions: ["부산 약사", "고마워"],
  expect: { shape: "words", sign: "thanks" },
};

test("asks greedily, and an error status throws with the body", async () => {
  await withServer([["네", "length"], 503], async (url, seen) => {
    assert.deepEqual(await ask(url, [{ role: "user", content: "안녕?" }], true), {
      text: "네",
      ended: false,
    });
    assert.equal(seen[0]?.url, "/v1/chat/completions");
    assert.equal(seen[0]?.temperature, 0);
    assert.deepEqual(seen[0]?.response_format, { type: "json_object" });
    await assert.rejects(ask(url, []), /expected status 200, got 503: .*full/);
  });
});

test("each turn follows the model's own answers, and the last one is checked", async () => {
  await withServer([["공고"], ["도움이 되었다니 기쁩니다."]], async (url, seen) => {
    const outcome = await examine(url, question, korean);
    assert.deepEqual(outcome.problems, []);
    assert.deepEqual(outcome.answers, ["공고", "도움이 되었다니 기쁩니다."]);
    assert.deepEqual(
      (seen[1]!.messages as { content: string }[]).map(({ content }) => content),
      ["짧게.", "부산 약사", "공고", "고마워"],
    );
    assert.deepEqual(tableOf([outcome]), ["| thanks | 1 of 1 |  |", "| all | 1 of 1 |  |"]);
  });
});

test("an answer that doesn't end by itself is a fault", async () => {
  await withServer([["공고", "length"], ["안녕!"]], async (url) => {
    const outcome = await examine(url, question, korean);
    assert.deepEqual(outcome.problems, [
      'expected the answer "thanks"',
      "expected answers that end by themselves",
    ]);
    assert.deepEqual(tableOf([outcome]), ["| thanks | 0 of 1 |  |", "| all | 0 of 1 |  |"]);
  });
});
