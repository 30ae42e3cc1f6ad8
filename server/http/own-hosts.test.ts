// Which hosts a server answers to: requests as raw bytes, since clients correct odd headers.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { type StandInOptions, serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { parseAllowedHosts } from "../settings/allowed-hosts.js";
import { hashKey, unlimited } from "../settings/key.js";

const callers = () => new Callers([{ name: "a", hash: hashKey("one"), priority: 0, limits: unlimited }]);

async function serve(context: TestContext, config: StandInOptions["config"], keyed = false) {
  const { port } = await serveStandIn(context, { config: config!, ...(keyed && { callers: callers() }) });
  const send = async (bytes: string) => {
    const socket = connect(port, "127.0.0.1");
    socket.write(bytes);
    const answer = await text(socket);
    return { status: Number(answer.slice(9, 12)), body: answer.split("\r\n\r\n", 2)[1]! };
  };
  const status = async (host: string | null, target = "/health", version = "1.1") => {
    const lines = [`GET ${target} HTTP/${version}`, ...(host === null ? [] : [`Host:${host}`])];
    return (await send(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`)).status;
  };
  return { port, send, status };
}

const own = [
  " localhost",
  " LocalHost",
  " localhost.",
  " localhost:8000",
  " localhost.:8000",
  " localhost:",
  " app.localhost",
  "localhost",
  "\tlocalhost  ",
  " 127.0.0.1",
  " 127.0.0.1:8000",
  " 127.9.9.9",
  " [::1]",
  " [::1]:8000",
  " [0:0:0:0:0:0:0:1]",
  " jai.example.com",
  " JAI.example.COM.:443",
  " a.b.example.org",
  " example.org",
  " [fd00::7]:8000",
];
const foreign = [
  " evil.example",
  " localhost.evil.example",
  " 127.0.0.1.evil.example",
  " evil.example:127.0.0.1",
  " notlocalhost",
  " localhost@evil.example",
  " evil.example@localhost",
  " user:word@localhost",
  " localhost/evil.example",
  " localhost evil.example",
  " evil.example,localhost",
  " localhost,evil.example",
  " localhost..",
  " .localhost.",
  " [::1",
  " ::1",
  " [::1]evil.example",
  " [evil.example]",
  " [fd00::8]",
  " xjai.example.com",
  " jai.example.com.evil.example",
  " badexample.org",
  " xn--localhost-.example",
  " ｌocalhost",
  "",
  " ",
  " :8000",
  " http://localhost",
  " 2130706433",
];

test("without keys a server on loopback answers to its own names and the allowed ones alone", async (context) => {
  const allowedHosts = parseAllowedHosts("Jai.Example.com., .example.org, [FD00:0::7]") as string[];
  const { status } = await serve(context, { allowedHosts });
  for (const host of own) assert.equal(await status(host), 200, JSON.stringify(host));
  for (const host of foreign) assert.equal(await status(host), 421, JSON.stringify(host));
  for (const host of [" 203.0.113.7", " 10.0.0.1:8000", " 0.0.0.0", " [2001:db8::1]"])
    assert.equal(await status(host), 421, host);
});

test("a server on all addresses answers to any address, and to no foreign name", async (context) => {
  for (const host of ["0.0.0.0", "::"]) {
    const { status } = await serve(context, { host, allowedHosts: "none" });
    for (const one of [" 203.0.113.7:80", " [2001:db8::1]", " 0.0.0.0:8000", " localhost", " [::1]:1"])
      assert.equal(await status(one), 200, one);
    for (const one of [" evil.example", " jai-server:8000", " 203.0.113.7.evil.example", " 1.2.3"])
      assert.equal(await status(one), 421, one);
  }
});

test("a server answers to the name that it listens on", async (context) => {
  const { status } = await serve(context, { host: "Box.lan", allowedHosts: "none" });
  assert.deepEqual([await status(" box.LAN:8000"), await status(" box.lan.evil")], [200, 421]);
});

test("a host in the target takes the header's place", async (context) => {
  const { status } = await serve(context, { allowedHosts: "none" });
  assert.equal(await status(" localhost", "http://127.0.0.1:8000/health"), 200);
  assert.equal(await status(" localhost", "http://evil.example/health"), 421);
  assert.equal(await status(" evil.example", "http://localhost/health"), 200);
  assert.equal(await status(" localhost", "http://localhost@evil.example/health"), 421);
  assert.equal(await status(" localhost", "http://localhost?a=/health"), 200);
  assert.equal(await status(" localhost", "http:///health"), 400);
});

test("without a Host header: 400 in HTTP/1.1, 421 in HTTP/1.0", async (context) => {
  const { send, status } = await serve(context, { allowedHosts: "none" });
  assert.deepEqual(await send("GET /health HTTP/1.1\r\n\r\n"), {
    status: 400,
    body: '{"detail":"The request is not valid HTTP"}',
  });
  assert.equal(await status(null, "/health", "1.0"), 421);
});

test("every path and method is refused alike, and nothing is read of a body", async (context) => {
  const { send } = await serve(context, { allowedHosts: "none" });
  for (const method of ["GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT"])
    for (const path of ["/", "/generate", "/v1/models", "/docs", "/nothing"]) {
      const { status } = await send(
        `${method} ${path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nOrigin: http://evil.example\r\n\r\n`,
      );
      assert.equal(status, 421, `${method} ${path}`);
    }
});

test("* answers to every host", async (context) => {
  const { status } = await serve(context, { allowedHosts: "*" });
  for (const host of [" evil.example", "", " a b"]) assert.equal(await status(host), 200);
});

test("with keys every host is answered, and a key is needed as before", async (context) => {
  const { status, send } = await serve(context, { allowedHosts: "none" }, true);
  assert.equal(await status(" evil.example"), 200);
  const ask = (key: string) =>
    send(`GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n${key}\r\n`);
  assert.equal((await ask("")).status, 401);
  assert.equal((await ask("X-API-Key: one\r\n")).status, 200);
});

test("a POST that a page can send across sites without asking is refused without keys", async (context) => {
  const { send } = await serve(context, { allowedHosts: "none" });
  const body = '{"prompt":"x","max_tokens":1}';
  const post = (type: string) =>
    send(
      `POST /generate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${type}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  // Types of forms, of a beacon, and a Blob's lack of one.
  for (const type of [
    "",
    "text/plain",
    "text/plain; application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "text/json",
  ])
    assert.equal((await post(type && `Content-Type: ${type}\r\n`)).status, 415, type);
  for (const type of ["application/json", "application/vnd.api+json", "application/json; charset=UTF-8"])
    assert.equal((await post(`Content-Type: ${type}\r\n`)).status, 200, type);
});

test("allowed hosts are checked one by one", () => {
  assert.deepEqual(parseAllowedHosts("a, B.example. ,.c.example,[::0001],bücher.example,10.0.0.1,my_box"), [
    "a",
    "b.example",
    ".c.example",
    "[::1]",
    "xn--bcher-kva.example",
    "10.0.0.1",
    "my_box",
  ]);
  for (const wrong of [
    "a:80",
    "http://a",
    "a,",
    "",
    "a b",
    "*.example",
    "a,*",
    "[::1]:80",
    "..a",
    "a@b",
    "a/b",
  ])
    assert.equal(parseAllowedHosts(wrong), null, wrong);
});
