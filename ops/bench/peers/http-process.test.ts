import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpProcess } from "./http-process.js";

test("a server is up when it answers, and gone when it is stopped", async () => {
  const script =
    "require('node:http').createServer((_, res) => res.end('{}')).listen(process.argv[1], '127.0.0.1')";
  const server = await HttpProcess.start(process.execPath, (port) => ["-e", script, String(port)], "/health");
  assert.deepEqual(await server.client.get("/health"), {});
  await server.stop();
  assert.equal(await server.client.isUp("/health"), false);
});

test("a server that ends tells its last line", async () => {
  const script = "console.error('no\\nsuch model'); process.exit(3)";
  await assert.rejects(
    HttpProcess.start(process.execPath, () => ["-e", script], "/health"),
    /^Error: \S+: it ended with 3: such model$/,
  );
});

test("a binary that isn't there is told by name, without the folders above it", async () => {
  await assert.rejects(
    HttpProcess.start("/no/such/llama-server", () => [], "/health"),
    /^Error: llama-server: spawn llama-server ENOENT$/,
  );
});
