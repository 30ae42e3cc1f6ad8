import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpPeer } from "./http-peer.js";

test("a server is up once it answers, and gone once it is stopped", async () => {
  const script =
    "require('node:http').createServer((_, res) => res.end('{}')).listen(process.argv[1], '127.0.0.1')";
  const server = await HttpPeer.start(process.execPath, (port) => ["-e", script, String(port)]);
  assert.deepEqual(await server.client.get("/health"), {});
  await server.stop();
  assert.equal(await server.isUp(), false);
});

test("if a server ends, the error has its last line", async () => {
  const script = "console.error('no\\nsuch model'); process.exit(3)";
  await assert.rejects(
    HttpPeer.start(process.execPath, () => ["-e", script]),
    /^Error: \S+: it ended with 3: such model$/,
  );
});

test("a missing binary is reported by name, without its folder", async () => {
  await assert.rejects(
    HttpPeer.start("/no/such/llama-server", () => []),
    /^Error: llama-server: spawn llama-server ENOENT$/,
  );
});
