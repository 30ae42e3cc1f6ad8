import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Opens a connection, sends these requests, and ends its writing half. */
function halfClose(port: number, ...bodies: object[]): Socket {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const requests = bodies.map((body) => {
    const json = JSON.stringify(body);
    return `POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`;
  });
  socket.end(requests.join(""));
  return socket;
}

/** Splits bytes into responses, by Content-Length. */
function readAnswers(bytes: string): { head: string; body: string }[] {
  const answers = [];
  for (let rest = bytes; rest !== ""; ) {
    const [head] = rest.split("\r\n\r\n", 1) as [string];
    const start = head.length + 4;
    const end = start + Number(/content-length: (\d+)/i.exec(head)![1]);
    answers.push({ head, body: rest.slice(start, end) });
    rest = rest.slice(end);
  }
  return answers;
}

test("a client that ends its writing half gets its answer, then the connection closes", async (context) => {
  const { port, jobs, until } = await serveStandIn(context, { hold: true });
  const socket = halfClose(port, { prompt: "x", max_tokens: 3 });
  const answered = text(socket);
  await until(() => jobs.length === 1);
  // The probe's byte: the first one of the status line.
  await once(socket, "data");
  assert.equal(jobs[0]!.cancelled, false);
  jobs[0]!.finish();
  const [answer, ...others] = readAnswers(await answered);
  assert.match(answer!.head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.equal(JSON.parse(answer!.body).generated, "!!!");
  assert.deepEqual(others, []);
});

test("a half-closed client with several pipelined requests gets all answers", async (context) => {
  const { port, jobs, until } = await serveStandIn(context, { hold: true });
  const socket = halfClose(port, { prompt: "x", max_tokens: 1 }, { prompt: "x", max_tokens: 2 });
  const answered = text(socket);
  for (const n of [0, 1]) {
    await until(() => jobs.length === 2);
    const { bytesRead } = socket;
    while (socket.bytesRead === bytesRead) await turn();
    jobs[n]!.finish();
  }
  const answers = readAnswers(await answered);
  assert.deepEqual(
    answers.map(({ head, body }) => [head.split("\r\n", 1)[0], JSON.parse(body).generated]),
    [
      ["HTTP/1.1 200 OK", "!"],
      ["HTTP/1.1 200 OK", "!!"],
    ],
  );
});

test("a half-closed client gets a stream to its end, and an error", async (context) => {
  const { port, jobs, until } = await serveStandIn(context, { hold: true });
  const streaming = text(halfClose(port, { prompt: "x", max_tokens: 3, stream: true }));
  await until(() => jobs.length === 1);
  jobs[0]!.say("!!", 2);
  await turn();
  jobs[0]!.finish();
  const stream = await streaming;
  assert.match(stream, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(stream, /data: {"text":"!!","tokens":2}\n\n/);
  assert.match(stream, /event: done\n/);
  assert.match(await text(halfClose(port, {})), /^HTTP\/1\.1 422 /);
});

for (const stream of [false, true]) {
  test(`a half-closed client that then closes cancels its ${stream ? "stream" : "request"}`, async (context) => {
    const { port, jobs, until } = await serveStandIn(context, { hold: true });
    const socket = halfClose(port, { prompt: "x", stream });
    await until(() => jobs.length === 1);
    await once(socket, "data");
    assert.equal(jobs[0]!.cancelled, false);
    socket.destroy();
    await until(() => jobs[0]!.cancelled);
  });
}

test("a stream that has sent no event is cancelled when its client closes the connection", async (context) => {
  const { url, jobs, until } = await serveStandIn(context, { hold: true });
  const leaving = new AbortController();
  const response = await fetch(`${url}/generate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"prompt":"x","stream":true}',
    signal: leaving.signal,
  });
  assert.equal(response.status, 200);
  leaving.abort();
  await until(() => jobs[0]!.cancelled);
});

test("a connection without a request ends at once", async (context) => {
  const { port } = await serveStandIn(context);
  assert.equal(await text(halfClose(port)), "");
});
