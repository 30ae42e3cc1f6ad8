import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { closeLingering } from "./lingering-close.js";

async function serve(context: TestContext) {
  let requests = 0;
  const server = createServer((_req, res) => {
    requests++;
    res.setHeader("Connection", "close").end("an answer");
  });
  closeLingering(server);
  server.listen(0, "127.0.0.1");
  context.after(() => server.close());
  await once(server, "listening");
  const socket = connect({
    port: (server.address() as AddressInfo).port,
    host: "127.0.0.1",
    allowHalfOpen: true,
  });
  let received = "";
  socket.setEncoding("latin1").on("data", (piece) => {
    received += piece;
  });
  return { socket, received: () => received, requests: () => requests };
}

const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n";

test("an answer that closes the connection arrives, although the client still sends", async (context) => {
  const { socket, received } = await serve(context);
  socket.write(post);
  await once(socket, "end");
  assert.match(received(), /an answer$/);
  for (let n = 0; n < 50; n++) socket.write("x".repeat(100_000));
  socket.end();
  // No reset: that would be an error event, and fail the test.
  await once(socket, "close");
});

test("requests after the last answer are not carried out", async (context) => {
  const { socket, requests } = await serve(context);
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "end");
  socket.end("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(10));
  await once(socket, "close");
  assert.equal(requests(), 1);
});

test("a client that goes on sending is cut off", async (context) => {
  const { socket } = await serve(context);
  socket.on("error", () => {});
  socket.write(post);
  const sending = setInterval(() => socket.write("x"), 20);
  await new Promise((closed) => socket.once("close", closed));
  clearInterval(sending);
});
