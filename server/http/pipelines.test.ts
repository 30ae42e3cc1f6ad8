import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, IncomingMessage, type ServerOptions, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { boundPipelines, type PipelineOptions } from "./pipelines.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A server that notes its requests. `answer` is called for each. */
async function serve(
  context: TestContext,
  answer: (res: ServerResponse, req: IncomingMessage) => void,
  options: PipelineOptions & ServerOptions = {},
) {
  const asked: { url: string; res: ServerResponse }[] = [];
  const handler = (req: IncomingMessage, res: ServerResponse) => {
    asked.push({ url: req.url!, res });
    answer(res, req);
  };
  const server = createServer(options, boundPipelines(handler, options)).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const open = () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    return socket;
  };
  return { server, asked, open };
}

const get = (count: number) =>
  Array.from({ length: count }, (_, at) => `GET /${at} HTTP/1.1\r\nHost: x\r\n\r\n`).join("");

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, "close");
}

test("pipelined requests are answered in their order", async (context) => {
  const { open, asked } = await serve(context, (res, { url }) => res.end(`<${url}>`));
  const socket = open();
  socket.write(get(30));
  let answers = "";
  socket.on("data", (data) => {
    answers += data;
  });
  while (answers.split("</29>").length < 2 && !answers.includes("</29>")) await once(socket, "data");
  const urls = Array.from({ length: 30 }, (_, at) => `/${at}`);
  assert.deepEqual(
    asked.map(({ url }) => url),
    urls,
  );
  assert.deepEqual(
    [...answers.matchAll(/<(.*?)>/g)].map(([, url]) => url),
    urls,
  );
});

test("after the most requests the rest is not answered, and the connection closes", async (context) => {
  const { open, asked } = await serve(context, () => {});
  const socket = open();
  socket.write(get(40));
  const answers = text(socket);
  while (asked.length < 32) await turn();
  for (const { res } of asked) res.end("x");
  assert.equal((await answers).split("HTTP/1.1 200 OK").length, 33);
  assert.equal(asked.length, 32);
});

test("requests beyond the most are not even parsed", async (context) => {
  let parsed = 0;
  class Counted extends IncomingMessage {
    constructor(socket: Socket) {
      super(socket);
      parsed++;
    }
  }
  const { open, asked } = await serve(context, () => {}, { IncomingMessage: Counted });
  const socket = open();
  socket.write(get(1000));
  const answers = text(socket);
  while (asked.length < 32) await turn();
  for (const { res } of asked) res.end("x");
  assert.equal((await answers).split("HTTP/1.1 200 OK").length, 33);
  assert.equal(parsed, 34);
});

test("an upgrade beyond the most requests takes no answer from those before it", async (context) => {
  const { open, asked } = await serve(context, () => {});
  const socket = open();
  socket.write(`${get(33)}GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`);
  const answers = text(socket);
  while (asked.length < 32) await turn();
  for (const { res } of asked) res.end("x");
  assert.equal((await answers).split("HTTP/1.1 200 OK").length, 33);
});

test("the next request begins when the answers before it are read", async (context) => {
  const page = Buffer.alloc(8 * 1024 * 1024);
  const { open, asked } = await serve(context, (res) => res.end(page));
  const socket = open();
  socket.pause();
  socket.write(get(10));
  while (asked.length < 1) await turn();
  for (let i = 0; i < 50; i++) await turn();
  assert.equal(asked.length, 1);
  let bytes = 0;
  socket.on("data", (data) => {
    bytes += data.length;
  });
  socket.resume();
  while (bytes < 10 * page.length) await once(socket, "data");
  assert.equal(asked.length, 10);
});

test("a connection that does not read its answer is closed after a while", async (context) => {
  const { open, server } = await serve(context, (res) => res.end(Buffer.alloc(32 * 1024 * 1024)), {
    stallMs: 20,
  });
  const connection = once(server, "connection") as Promise<[Socket]>;
  const socket = open();
  socket.pause();
  socket.write(get(1));
  const [served] = await connection;
  await closed(served);
});

test("a long wait for an answer closes nothing", async (context) => {
  const { open, asked } = await serve(context, () => {}, { stallMs: 5 });
  const socket = open();
  socket.write(get(2));
  while (asked.length < 2) await turn();
  asked[0]!.res.end("first");
  await once(socket, "data");
  await new Promise((resolve) => setTimeout(resolve, 30));
  asked[1]!.res.end("second");
  const [data] = await once(socket, "data");
  assert.match(String(data), /second/);
});
