import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { serveStandIn } from "../fixtures/stand-in.js";

let server: Awaited<ReturnType<typeof serveStandIn>>;

test("bad input", async (context) => {
  server = await serveStandIn(context, { maxTokens: 100, maxPromptChars: 1000, maxBodyBytes: 512 * 1024 });
  await context.test("gets a 4xx that says what is wrong, and the next request works", everyRow);
});

const json = { "content-type": "application/json" };

interface Row {
  what: string;
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
  status: number;
  /** For 422: location and type of each field. */
  fields?: [loc: (string | number)[], type: string][];
  message?: string;
}

const field = (what: string, body: unknown, name: string, type: string): Row => ({
  what,
  body,
  status: 422,
  fields: [[["body", name], type]],
});
const ok = { prompt: "x" };

const rows: Row[] = [
  field("no prompt", {}, "prompt", "missing"),
  field("an empty prompt", { prompt: "" }, "prompt", "string_too_short"),
  { ...field("a prompt without tokens", { prompt: " \n " }, "prompt", "value_error"), path: "/generate" },
  field("a prompt of null", { prompt: null }, "prompt", "string_type"),
  field("a prompt of 5", { prompt: 5 }, "prompt", "string_type"),
  field("a list as prompt", { prompt: ["x"] }, "prompt", "string_type"),
  field("a prompt past the limit", { prompt: "x".repeat(1001) }, "prompt", "string_too_long"),
  field("100,000 emoji", { prompt: "😀".repeat(100_000) }, "prompt", "string_too_long"),
  field("max_tokens 0", { ...ok, max_tokens: 0 }, "max_tokens", "greater_than_equal"),
  field("max_tokens -1", { ...ok, max_tokens: -1 }, "max_tokens", "greater_than_equal"),
  field("max_tokens past the limit", { ...ok, max_tokens: 101 }, "max_tokens", "less_than_equal"),
  field("max_tokens 1.5", { ...ok, max_tokens: 1.5 }, "max_tokens", "int_from_float"),
  field("max_tokens true", { ...ok, max_tokens: true }, "max_tokens", "int_type"),
  field("max_tokens null", { ...ok, max_tokens: null }, "max_tokens", "int_type"),
  field("max_tokens [5]", { ...ok, max_tokens: [5] }, "max_tokens", "int_type"),
  field("max_tokens as a word", { ...ok, max_tokens: "many" }, "max_tokens", "int_parsing"),
  field("max_tokens an empty text", { ...ok, max_tokens: "" }, "max_tokens", "int_parsing"),
  field("max_tokens 1e999", '{"prompt":"x","max_tokens":1e999}', "max_tokens", "finite_number"),
  field(
    "max_tokens of 400 digits",
    `{"prompt":"x","max_tokens":${"9".repeat(400)}}`,
    "max_tokens",
    "finite_number",
  ),
  field("a negative temperature", { ...ok, temperature: -0.1 }, "temperature", "greater_than_equal"),
  field("temperature 1e999", '{"prompt":"x","temperature":1e999}', "temperature", "finite_number"),
  field("temperature as a word", { ...ok, temperature: "hot" }, "temperature", "float_parsing"),
  field('temperature "NaN"', { ...ok, temperature: "NaN" }, "temperature", "float_parsing"),
  field("temperature false", { ...ok, temperature: false }, "temperature", "float_type"),
  field("a negative top_k", { ...ok, top_k: -1 }, "top_k", "greater_than_equal"),
  field("top_k {}", { ...ok, top_k: {} }, "top_k", "int_type"),
  field("a seed past 53 bits", { ...ok, seed: 2 ** 53 }, "seed", "less_than_equal"),
  field("a seed of 0.5", { ...ok, seed: 0.5 }, "seed", "int_from_float"),
  field("an empty stop", { ...ok, stop: "" }, "stop", "string_too_short"),
  field("stop 5", { ...ok, stop: 5 }, "stop", "string_type"),
  field("stop an object", { ...ok, stop: {} }, "stop", "string_type"),
  field("a long stop", { ...ok, stop: "x".repeat(257) }, "stop", "string_too_long"),
  {
    what: "a long stop among others",
    body: { ...ok, stop: ["a", "x".repeat(300_000)] },
    status: 422,
    fields: [[["body", "stop", 1], "string_too_long"]],
  },
  field("17 stops", { ...ok, stop: Array(17).fill("x") }, "stop", "too_long"),
  field("100,000 wrong stops", { ...ok, stop: Array(100_000).fill(0) }, "stop", "too_long"),
  {
    what: "a stop that is not a text",
    body: { ...ok, stop: ["a", 5] },
    status: 422,
    fields: [[["body", "stop", 1], "string_type"]],
  },
  {
    what: "an empty stop among others",
    body: { ...ok, stop: ["a", ""] },
    status: 422,
    fields: [[["body", "stop", 1], "string_too_short"]],
  },
  field("ignore_eos 1", { ...ok, ignore_eos: 1 }, "ignore_eos", "bool_type"),
  {
    what: "several wrong fields",
    body: { max_tokens: 0, temperature: -1, top_k: "x" },
    status: 422,
    fields: [
      [["body", "prompt"], "missing"],
      [["body", "max_tokens"], "greater_than_equal"],
      [["body", "temperature"], "greater_than_equal"],
      [["body", "top_k"], "int_parsing"],
    ],
  },
  { what: "no body", status: 422, fields: [[["body"], "missing"]] },
  { what: "an empty body", body: "", status: 422, fields: [[["body"], "missing"]] },
  ...["/jobs", "/tokenize", "/detokenize"].map(
    (path): Row => ({ what: "no body", path, status: 422, fields: [[["body"], "missing"]] }),
  ),
  ...["text/plain", "application/x-www-form-urlencoded"].map(
    (type): Row => ({
      what: `no body of type ${type}`,
      headers: { "content-type": type },
      status: 422,
      fields: [[["body"], "missing"]],
    }),
  ),
  { what: "a list as body", body: "[]", status: 422, fields: [[["body"], "model_attributes_type"]] },
  { what: "a text as body", body: '"x"', status: 422, fields: [[["body"], "model_attributes_type"]] },
  { what: "a number as body", body: "5", status: 422, fields: [[["body"], "model_attributes_type"]] },
  { what: "null as body", body: "null", status: 422, fields: [[["body"], "model_attributes_type"]] },
  { what: "invalid JSON", body: '{"prompt": x}', status: 422, fields: [[["body", 11], "json_invalid"]] },
  { what: "incomplete JSON", body: '{"prompt": "x"', status: 422, fields: [[["body", 14], "json_invalid"]] },
  {
    what: "NaN",
    body: '{"prompt":"x","temperature":NaN}',
    status: 422,
    fields: [[["body", 28], "json_invalid"]],
  },
  {
    what: "Infinity",
    body: '{"prompt":"x","temperature":-Infinity}',
    status: 422,
    fields: [[["body", 28], "json_invalid"]],
  },
  {
    what: "a form",
    body: "prompt=x",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    status: 415,
  },
  { what: "plain text", body: '{"prompt":"x"}', headers: { "content-type": "text/plain" }, status: 415 },
  {
    what: "a multipart body",
    body: "--x--",
    headers: { "content-type": "multipart/form-data; boundary=x" },
    status: 415,
  },
  { what: "an invalid content type", body: "{}", headers: { "content-type": ";;;" }, status: 415 },
  {
    what: "another charset",
    body: '{"prompt":"x"}',
    headers: { "content-type": "application/json; charset=euc-kr" },
    status: 415,
  },
  {
    what: "UTF-16",
    body: Buffer.from('{"prompt":"x"}', "utf16le"),
    headers: { "content-type": "application/json; charset=utf-16" },
    status: 415,
  },
  {
    what: "a gzipped body",
    body: gzipSync('{"prompt":"x"}'),
    headers: { ...json, "content-encoding": "gzip" },
    status: 415,
  },
  {
    what: "a gzip bomb",
    body: gzipSync(Buffer.alloc(50_000_000)),
    headers: { ...json, "content-encoding": "gzip" },
    status: 415,
  },
  { what: "an unknown encoding", body: "x", headers: { ...json, "content-encoding": "x" }, status: 415 },
  {
    what: "bytes that are not UTF-8",
    body: Buffer.from([...Buffer.from('{"prompt":"'), 0xff, 0xfe, ...Buffer.from('"}')]),
    status: 400,
  },
  { what: "a body past the limit", body: { prompt: "x".repeat(600 * 1024) }, status: 413 },
  {
    what: "20,000 nested brackets",
    body: "[".repeat(20_000),
    status: 422,
    fields: [[["body", 20_000], "json_invalid"]],
  },
  {
    what: "20,000 nested lists",
    body: "[".repeat(20_000) + "]".repeat(20_000),
    status: 422,
    fields: [[["body"], "model_attributes_type"]],
  },
  {
    what: "19,999 lists in prompt",
    body: `{"prompt":${"[".repeat(19_999)}${"]".repeat(19_999)}}`,
    status: 422,
    fields: [[["body", "prompt"], "string_type"]],
  },
  {
    what: "20,001 lists",
    body: `[${"[],".repeat(19_999)}[]]`,
    status: 422,
    fields: [[["body"], "value_error"]],
  },
  {
    what: "19,999 objects in stop",
    body: `{"prompt":"x","stop":${'{"a":'.repeat(19_999)}0${"}".repeat(19_999)}}`,
    status: 422,
    fields: [[["body", "stop"], "string_type"]],
  },
  {
    what: "19,998 lists in a stop's entry",
    body: `{"prompt":"x","stop":[${"[".repeat(19_998)}${"]".repeat(19_998)}]}`,
    status: 422,
    fields: [[["body", "stop", 0], "string_type"]],
  },
  {
    what: "__proto__ in place of a prompt",
    body: '{"__proto__":{"prompt":"x"}}',
    status: 422,
    fields: [[["body", "prompt"], "missing"]],
  },
  { what: "an unknown path", path: "/nothing", status: 404, message: "Not Found" },
  { what: "a path in another case", path: "/GENERATE", body: ok, status: 404 },
  { what: "a missing asset", path: "/redoc/nothing", method: "GET", status: 404 },
  ...[
    "package.json",
    "%2e%2e/package.json",
    "README.md",
    "index.html",
    "swagger-initializer.js",
    "nothing",
  ].map((name) => ({
    what: "a file that the page doesn't load",
    path: `/docs/${name}`,
    method: "GET",
    status: 404,
  })),
  { what: "a malformed URL", path: "/%", status: 400 },
  { what: "a malformed URL below an asset's path", path: "/docs/%ff", method: "GET", status: 400 },
  { what: "GET /generate", method: "GET", status: 405, message: "Method Not Allowed" },
  { what: "DELETE /chat", path: "/chat", method: "DELETE", status: 405 },
  { what: "POST /health", path: "/health", body: {}, status: 405 },
  { what: "HEAD /generate", method: "HEAD", status: 405 },
];

async function everyRow(context: TestContext) {
  for (const row of rows) {
    for (const path of row.path === undefined && row.method === undefined
      ? ["/generate", "/chat"]
      : [row.path ?? "/generate"]) {
      await context.test(`${row.what} at ${path}: ${row.status}`, () => check(row, path));
    }
  }
}

async function check(row: Row, path: string) {
  const { body, method = "POST" } = row;
  const response = await fetch(server.url + path, {
    method,
    headers: row.headers ?? json,
    ...(body === undefined
      ? {}
      : { body: typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
  });
  assert.equal(response.status, row.status);
  assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
  const answer = await response.text();
  assert.doesNotMatch(answer, /node_modules|\.js|at \w+ \(/, "no stack trace");
  if (method !== "HEAD") {
    const { detail } = JSON.parse(answer);
    if (row.status === 422) {
      assert.deepEqual(
        detail.map(({ loc, type }: { loc: unknown; type: string }) => [loc, type]),
        row.fields,
      );
      for (const { msg } of detail) assert.ok(typeof msg === "string" && msg !== "");
      assert.ok(answer.length < 2000, "a bad body is not sent back");
    } else {
      assert.equal(typeof detail, "string");
      if (row.message !== undefined) assert.equal(detail, row.message);
    }
  }
  if (row.status === 405) assert.ok(response.headers.get("allow"));
  const next = await server.post("/generate", ok);
  assert.equal(next.status, 200);
  await next.arrayBuffer();
}

/** Sends raw bytes and reads until the server closes the connection. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(bytes);
  const answer = await text(socket);
  socket.destroy();
  return answer;
}

test("bytes that are not HTTP get 400, and the next request works", async (context) => {
  const { port, post } = await serveStandIn(context);
  assert.match(await raw(port, "hello\r\n\r\n"), /^HTTP\/1\.1 400 /);
  assert.equal((await post("/generate", ok)).status, 200);
});

test("a POST without a body or Content-Length is 422, and under /v1 400 in OpenAI's form", async (context) => {
  const { port, document } = await serveStandIn(context);
  const paths = Object.entries(document.paths).flatMap(([path, { post }]) => (post ? [path] : []));
  assert.ok(paths.length > 5);
  for (const path of paths) {
    for (const type of ["", "Content-Type: application/json\r\n", "Content-Type: text/plain\r\n"]) {
      const answer = await raw(port, `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${type}\r\n`);
      const [head, body] = answer.split("\r\n\r\n", 2);
      const { detail, error } = JSON.parse(body!);
      if (path.startsWith("/v1/")) {
        assert.match(head!, /^HTTP\/1\.1 400 /);
        assert.equal(error.code, "missing_required_parameter");
      } else {
        assert.match(head!, /^HTTP\/1\.1 422 /);
        assert.deepEqual(detail, [{ loc: ["body"], msg: "Field required", type: "missing" }]);
      }
    }
  }
});

for (const [path, body] of [
  ["/generate", { detail: "The request is not valid HTTP" }],
  [
    "/v1/completions",
    {
      error: {
        message: "The request is not valid HTTP",
        type: "invalid_request_error",
        param: null,
        code: "malformed_request",
      },
    },
  ],
] as const) {
  test(`two Host headers at ${path} are 400, and the connection closes`, async (context) => {
    const { port } = await serveStandIn(context);
    const answer = await raw(
      port,
      `POST ${path} HTTP/1.1\r\nHost: a\r\nhost: b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*\r\nConnection: close\r\n/);
    assert.deepEqual(JSON.parse(answer.split("\r\n\r\n", 2)[1]!), body);
  });
}

test("a body whose Content-Length exceeds the limit is refused before it is sent", async (context) => {
  const { port } = await serveStandIn(context);
  const socket = connect(port, "127.0.0.1");
  socket.write(
    "POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n{",
  );
  const [first] = (await once(socket, "data")) as [Buffer];
  assert.match(first.toString(), /^HTTP\/1\.1 413 /);
  socket.destroy();
});

test("a chunked body is bounded like any other", async (context) => {
  const { port } = await serveStandIn(context, { maxBodyBytes: 2000 });
  const socket = connect(port, "127.0.0.1");
  const chunk = `1000\r\n${" ".repeat(0x1000)}\r\n`;
  socket.write(
    `POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
  );
  const [first] = (await once(socket, "data")) as [Buffer];
  assert.match(first.toString(), /^HTTP\/1\.1 413 /);
  socket.destroy();
});
