import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { readDocument } from "../http/document.js";
import { settings } from "../settings/config.js";
import { type Log, openModel, openServer } from "./index.js";
import { camelCase } from "./internal/camel-case.js";

const folder = mkdtempSync(join(tmpdir(), "jai-library-server-"));
const model = join(folder, "model");
before(() => writeFixtureModel(model, "int8"));
after(() => rmSync(folder, { recursive: true }));

const options = { model, port: 0, threads: 1, concurrency: 2 };
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const listeners = () => signals.map((signal) => process.listenerCount(signal));

test("a server opens, listens, drains and closes, logs it, and handles no signals", async () => {
  const lines: string[] = [];
  const note = (message: string) => void lines.push(message);
  const log: Log = { error: note, warn: note, info: note, debug: note };
  const before = listeners();
  const server = await openServer({ ...options, dataDir: join(folder, "a"), log });
  const url = await server.listen();
  await server.ready;
  const body = JSON.stringify({ prompt: "x", max_tokens: 200, ignore_eos: true });
  const headers = { "content-type": "application/json" };
  const answers = [1, 2, 3].map(() => fetch(`${url}/generate`, { method: "POST", headers, body }));
  while (server.requests < 3) await new Promise((resolve) => setImmediate(resolve));
  const closed = server.close();
  assert.equal((await fetch(`${url}/generate`, { method: "POST", headers, body })).status, 503);
  for (const answer of answers) assert.equal((await answer).status, 200);
  await Promise.all([closed, server.close(), server.closed]);
  assert.deepEqual(listeners(), before);
  assert.ok(
    lines.some((line) => line.startsWith(`listening on ${url}`)),
    lines.join("\n"),
  );
  assert.equal(lines.at(-1), "stopped");
  await assert.rejects(fetch(url));
  // The data folder is free for another server.
  const next = await openServer({ ...options, dataDir: join(folder, "a") });
  await next.close();
});

test("logPrompts: off leaves prompts out of the program's log", async () => {
  for (const logPrompts of ["on", "off"] as const) {
    const lines: string[] = [];
    const note = (message: string) => void lines.push(message);
    const log: Log = { error: note, warn: note, info: note, debug: note };
    const server = await openServer({
      ...options,
      dataDir: join(folder, `log-${logPrompts}`),
      log,
      logPrompts,
    });
    const url = await server.listen();
    await server.ready;
    const body = JSON.stringify({ prompt: "비밀", max_tokens: 1 });
    const headers = { "content-type": "application/json" };
    assert.equal((await fetch(`${url}/generate`, { method: "POST", headers, body })).status, 200);
    await server.close();
    assert.equal(lines.join("\n").includes("비밀"), logPrompts === "on", lines.join("\n"));
  }
});

test("a server that can't listen or load its model reports why, and can be closed", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as { port: number };
  const server = await openServer({ ...options, port, dataDir: join(folder, "b") });
  await assert.rejects(server.listen(), /cannot listen on 127\.0\.0\.1:\d+: the port is taken/);
  await server.closed;

  const broken = join(folder, "broken");
  cpSync(model, broken, { recursive: true });
  truncateSync(join(broken, "onnx/model.onnx"), 5000);
  const unready = await openServer({ ...options, model: broken, dataDir: join(folder, "b") });
  await unready.listen();
  await assert.rejects(unready.ready, /model\.onnx/);
  await unready.close();
  await assert.rejects(openModel(broken), /model\.onnx/);
});

test("a wrong option is refused in one line that names it", async () => {
  const cases: [object, RegExp][] = [
    [{ port: -1 }, /^port: expected an integer from 0 to 65535, got "-1"$/],
    [{ host: 3n }, /^host: expected a text or a number, got 3$/],
    [{ apiKeys: "a,,b" }, /^apiKeys: expected .*, got something else, which is not shown$/],
    [{ logLevel: "info" }, /^unknown option "logLevel": expected one of model, /],
    [{ model: join(folder, "nowhere") }, /nowhere: expected a folder/],
  ];
  for (const [wrong, message] of cases)
    await assert.rejects(openServer({ ...options, dataDir: join(folder, "c"), ...wrong }), { message });
});

/** Names of the options that an interface declares. */
const declared = (file: string, name: string) => {
  const text = readFileSync(new URL(`./${file}.d.ts`, import.meta.url), "utf8");
  const [, body] = new RegExp(`interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(text)!;
  return [...body!.matchAll(/^ {4}(\w+)\??:/gm)].map(([, option]) => option!).toSorted();
};

test("the server's options are the settings of jai serve, except the log's level and format, and the restart", () => {
  const own = declared("server-options", "ServerOptions");
  const known = Object.keys(settings).filter((name) => !["logLevel", "logFormat", "restart"].includes(name));
  assert.deepEqual(own, [...known, "log"].toSorted());
});

test("a generation's options are the fields of POST /generate, except stream", () => {
  const { schemas } = readDocument({ maxTokens: 1, maxPromptChars: 1 }).components;
  const { stream: _, ...fields } = schemas.GenerationRequest!.properties!;
  const known = Object.keys(fields).map(camelCase);
  assert.deepEqual(declared("generate-options", "GenerateOptions"), [...known, "chat", "signal"].toSorted());
});

test("invalid options and logs are refused in one line, before anything is read", async () => {
  for (const [wrong, expected] of [
    [null, /^options: expected an object, got null$/],
    [5, /^options: expected an object, got 5$/],
    [{ log: null }, /^log: expected an object with error, warn, info, debug, got null$/],
    [{ log: {} }, /^log: expected an object with error, warn, info, debug, got an object$/],
  ] as const)
    for (const open of [openServer, (options: object) => openModel(model, options)])
      await assert.rejects(open(wrong as object), ({ message }: Error) => expected.test(message));
  await assert.rejects(
    openModel(undefined as unknown as string),
    /^ConfigError: dir: expected a folder's path, got nothing$/,
  );
});
