import assert from "node:assert/strict";
import { test } from "node:test";
import { serveOther } from "../fixtures/other-server.js";
import { ask, askEvents } from "./ask.js";

for (const [body, told] of [
  [{ detail: "no\nway\u001b[2J" }, "no\\nway\\u{1b}[2J"],
  [{ detail: [{ loc: ["body", "x"], msg: "too big" }] }, "x: too big"],
  [{ detail: [{ msg: "wrong" }, null, "text", { loc: "x" }] }, 'wrong; null; "text"; {"loc":"x"}'],
  [{ detail: { why: "\u001b]0;x" } }, '{"why":"\\u001b]0;x"}'],
  [{ error: "plain" }, "plain"],
  [{ error: { message: { a: 1 } } }, '{"a":1}'],
  [{ error: null }, "no reason"],
  [{}, "no reason"],
] as const) {
  test(`the refusal ${JSON.stringify(body)} is told in one line`, async (context) => {
    const url = await serveOther(context, (_req, res) => res.writeHead(400).end(JSON.stringify(body)));
    await assert.rejects(ask({ url, key: undefined }, "x"), {
      name: "ServerError",
      message: `the server answered 400: ${told}`,
    });
  });
}

test("a connection that breaks within an answer is told as such, not as a server that never was there", async (context) => {
  const url = await serveOther(context, (req, res) => {
    res.writeHead(200, req.url === "/stream" ? { "content-type": "text/event-stream" } : {});
    res.write("{", () => res.destroy());
  });
  const server = { url, key: undefined };
  const broke = { message: `the connection to ${url} broke: UND_ERR_SOCKET` };
  await assert.rejects(ask(server, "x"), broke);
  await assert.rejects(askEvents(server, "stream", {}).next(), broke);
});

for (const [path, type] of [
  ["an answer", "application/json"],
  ["an event", "text/event-stream"],
] as const) {
  test(`${path} without an end is given up, and its connection closed`, async (context) => {
    let closed = () => {};
    const ended = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const url = await serveOther(context, (_req, res) => {
      const piece = "x".repeat(2 ** 20);
      const more = () => {
        while (!res.destroyed && res.write(piece));
      };
      res.on("drain", more).on("close", closed);
      res.writeHead(200, { "content-type": type });
      more();
    });
    const server = { url, key: undefined };
    const asked = type === "text/event-stream" ? askEvents(server, "", {}).next() : ask(server, "");
    await assert.rejects(asked, { message: `expected a jai-server at ${url}, got answers of another kind` });
    await ended;
  });
}

test("a stream may be longer than one event", async (context) => {
  const events = 20;
  const url = await serveOther(context, (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    for (let at = 0; at < events; at++) res.write(`data: ${"x".repeat(2 ** 20)}\n\n`);
    res.end();
  });
  let count = 0;
  for await (const { data } of askEvents({ url, key: undefined }, "", {})) {
    assert.equal(data.length, 2 ** 20);
    count++;
  }
  assert.equal(count, events);
});

test("a port that fetch refuses is told as such", async () => {
  const url = "http://127.0.0.1:6000/";
  await assert.rejects(ask({ url, key: undefined }, ""), {
    message: `no answer from ${url}: bad port; "jai serve" starts a server`,
  });
});
