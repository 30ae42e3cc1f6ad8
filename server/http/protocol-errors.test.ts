import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type ServerOptions } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { answerHalfClosed } from "./half-close.js";
import { answerProtocolErrors } from "./protocol-errors.js";

/** Sends raw bytes to a server with these options, and reads until it closes the connection. */
async function exchange(
  context: TestContext,
  bytes: string,
  options: ServerOptions = {},
  answer: RequestListener = (_req, res) => res.end("an answer"),
) {
  const server = createServer(options, answer);
  answerProtocolErrors(server);
  server.listen(0, "127.0.0.1");
  context.after(() => server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(bytes);
  return await text(socket);
}

const post = "POST / HTTP/1.1\r\nHost: x\r\n";

for (const [what, bytes, status, detail] of [
  ["bytes that are not HTTP", "hello\r\n\r\n", "400 Bad Request", "The request is not valid HTTP"],
  [
    "a chunk without a size",
    `${post}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
    "400 Bad Request",
    "The request is not valid HTTP",
  ],
  [
    "20 KiB of headers",
    `${post}X: ${"x".repeat(20_480)}\r\n\r\n`,
    "431 Request Header Fields Too Large",
    "The headers are larger than this server takes",
  ],
  [
    "20 KiB of chunk extensions",
    `${post}Transfer-Encoding: chunked\r\n\r\n1;${"x".repeat(20_480)}\r\n`,
    "413 Payload Too Large",
    "The body is larger than this server takes",
  ],
  [
    "an unknown expectation",
    `${post}Expect: a miracle\r\nContent-Length: 0\r\n\r\n`,
    "417 Expectation Failed",
    "The server cannot do what the Expect header asks for",
  ],
] as const) {
  test(`${what}: ${status}, with a JSON detail, and the connection closes`, async (context) => {
    const [head, body] = (await exchange(context, bytes, {}, (req) => req.resume())).split("\r\n\r\n", 2);
    assert.ok(head!.startsWith(`HTTP/1.1 ${status}\r\n`), head);
    assert.match(head!, /^content-type: application\/json; charset=utf-8$/im);
    assert.match(head!, /^connection: close$/im);
    assert.match(head!, /^x-request-id: [0-9a-f-]{36}$/im);
    assert.deepEqual(JSON.parse(body!), { detail });
  });
}

for (const [what, lines, code] of [
  ["an unknown expectation", "Expect: a miracle\r\nContent-Length: 0\r\n\r\n", "expectation_failed"],
  ["a chunk without a size", "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed_request"],
] as const) {
  test(`${what} under /v1 is answered in OpenAI's form`, async (context) => {
    const bytes = `POST /v1/completions?a=b HTTP/1.1\r\nHost: x\r\n${lines}`;
    const [, body] = (await exchange(context, bytes, {}, (req) => req.resume())).split("\r\n\r\n", 2);
    assert.equal(JSON.parse(body!).error.code, code);
  });
}

test("a request that takes too long to arrive: 408", async (context) => {
  const answer = await exchange(context, post, { headersTimeout: 20, connectionsCheckingInterval: 10 });
  assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/);
  assert.match(answer, /\r\n\r\n\{"detail":"The request took too long to arrive"\}$/);
});

test("no error is written into a response that is half sent: it follows the whole one", async (context) => {
  const answer = await exchange(
    context,
    "GET / HTTP/1.1\r\nHost: x\r\n\r\nhello\r\n\r\n",
    {},
    (_req, res) => {
      res.write("half");
      setImmediate(() => res.end("whole"));
    },
  );
  assert.match(answer, /\r\n4\r\nhalf\r\n5\r\nwhole\r\n0\r\n\r\nHTTP\/1\.1 400 /);
});

test("requests before one that can't be read are answered first, in their order", async (context) => {
  let count = 0;
  const one = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const answer = await exchange(context, `${one}${one}hello\r\n\r\n`, {}, (_req, res) => {
    const text = `answer ${++count}`;
    setTimeout(() => res.end(text), 20 / count);
  });
  assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*answer 1HTTP\/1\.1 200 [\s\S]*answer 2HTTP\/1\.1 400 /);
});

test("nothing is written into the response of a request whose body can't be read, once it is half sent", async (context) => {
  const bytes = `${post}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`;
  const answer = await exchange(context, bytes, {}, (_req, res) => void res.write("half")).catch(() => "");
  assert.doesNotMatch(answer, /400|detail/);
});

test("a body that can't be read or ends early is refused, also if its headers ask for an upgrade", async (context) => {
  const upgrade = "Connection: Upgrade\r\nUpgrade: h2c\r\n";
  for (const lines of ["Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "Content-Length: 9\r\n\r\nearly"]) {
    const server = createServer((req) => req.resume());
    answerProtocolErrors(server);
    answerHalfClosed(server);
    server.listen(0, "127.0.0.1");
    context.after(() => server.close());
    await once(server, "listening");
    const socket = connect({
      port: (server.address() as AddressInfo).port,
      host: "127.0.0.1",
      allowHalfOpen: true,
    });
    socket.end(`${post}${upgrade}${lines}`);
    assert.match(await text(socket), /^HTTP\/1\.1 400 /);
  }
});

test("100 Continue is not written into an earlier answer, nor CONNECT's refusal, nor after the last answer", async (context) => {
  const one = "GET / HTTP/1.1\r\nHost: x\r\n";
  const later =
    (close: boolean): RequestListener =>
    (_req, res) => {
      if (close) res.setHeader("Connection", "close");
      setImmediate(() => res.end(Buffer.from("an answer")));
    };
  const connecting = "CONNECT x HTTP/1.1\r\nHost: x\r\n\r\n";
  const answers = "HTTP/1.1 200 [^{]*an answer";
  for (const [bytes, close, expected] of [
    // Node closes the connection of a request whose expectation was not met.
    [`${one}\r\n${one}Expect: 100-continue\r\n\r\n`, false, `^${answers}${answers}$`],
    [`${one}\r\n${connecting}`, false, `^${answers}HTTP/1.1 400 [^{]*{[^{]*}$`],
    [`${one}\r\n${connecting}`, true, `^${answers}$`],
  ] as const)
    assert.match(await exchange(context, bytes, {}, later(close)), new RegExp(expected));
});

test("a long answer before CONNECT is sent to its end", async (context) => {
  const bytes = "GET / HTTP/1.1\r\nHost: x\r\n\r\nCONNECT x HTTP/1.1\r\nHost: x\r\n\r\n";
  const piece = Buffer.alloc(1_000_000, "x");
  const answer = await exchange(context, bytes, {}, (_req, res) => {
    Readable.from([piece, piece, piece, piece]).pipe(res);
  });
  assert.ok(answer.length > 4_000_000);
  assert.match(answer.slice(-1000), /HTTP\/1\.1 400 /);
});

test("an answer that came before the body's error is sent to its end", async (context) => {
  const bytes = `${post}Transfer-Encoding: chunked\r\n\r\nxyz\r\n${"x".repeat(100_000)}`;
  const answer = await exchange(context, bytes, {}, (_req, res) => res.end(Buffer.alloc(4_000_000, "x")));
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.ok(answer.length > 4_000_000);
});

test("CONNECT is refused, and the connection is not reset", async (context) => {
  const bytes = `CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n${"x".repeat(500_000)}`;
  assert.match(await exchange(context, bytes), /^HTTP\/1\.1 400 /);
});

test("the expectation 100-continue is met", async (context) => {
  const bytes = `${post}Expect: 100-continue\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`;
  const answer = await exchange(context, bytes);
  assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
});
