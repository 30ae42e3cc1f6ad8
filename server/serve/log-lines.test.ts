import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { GenerationFailed } from "../pool/pool.js";
import { hashKey, unlimited } from "../settings/key.js";
import { endingOf, type Summary } from "../telemetry/summary.js";

const ID = "[0-9a-f]{8}-[0-9a-f-]{27}";

test("a refusal's log line has the client's error", async (context) => {
  const { url, post, lines, queue } = await serveStandIn(context, { maxTokens: 9 });
  const told = async (answer: Promise<Response>) => {
    const response = await answer;
    const id = response.headers.get("x-request-id");
    const line = lines.find((one) => one.startsWith(`${id} - `) && /: \d{3}, /.test(one));
    return line?.slice(`${id} - `.length);
  };
  assert.equal(
    await told(post("/generate", { max_tokens: 10, stop: "" })),
    "POST /generate: 422, body.prompt: Field required; body.stop: String should have at least 1 character; body.max_tokens: Input should be less than or equal to 9",
  );
  assert.equal(
    await told(post("/v1/completions", { prompt: "x", model: "other" })),
    'POST /v1/completions: 404, The model does not exist: expected "stand-in", got "other"',
  );
  assert.equal(
    await told(post("/v1/completions", { prompt: 5 })),
    "POST /v1/completions: 400, body.prompt: Input should be a valid string or list of strings",
  );
  assert.equal(await told(post("/generate", "{")), "POST /generate: 422, body.1: JSON decode error");
  assert.equal(await told(fetch(`${url}/nothing`)), "GET /nothing: 404, Not Found");
  void queue.drain();
  assert.equal(
    await told(post("/generate", { prompt: "x" })),
    "POST /generate: 503, The server is shutting down",
  );
});

const JSON_POST = "POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

for (const [what, bytes, told] of [
  [
    "bytes that are not HTTP",
    "\u001b[2J\n\r\n\r\n",
    "unreadable request: 400, The request is not valid HTTP",
  ],
  [
    "headers that are too large",
    `GET /x HTTP/1.1\r\nX: ${"x".repeat(20_480)}\r\n\r\n`,
    "unreadable request: 431, The headers are larger than this server takes",
  ],
  [
    "CONNECT",
    "CONNECT a.example:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT a.example:1: 400, The request is not valid HTTP",
  ],
  [
    "an unknown expectation",
    `${JSON_POST}Expect: a miracle\r\nContent-Length: 0\r\n\r\n`,
    "POST /generate: 417, The server cannot do what the Expect header asks for",
  ],
  [
    "a chunk without a size",
    `${JSON_POST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
    "POST /generate: 400, The request is not valid HTTP",
  ],
] as const) {
  test(`${what}: one line at its end, with the id of the answer, and it counts as invalid`, async (context) => {
    const { port, lines, telemetry } = await serveStandIn(context);
    const ended = once(telemetry, "ended");
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.end(bytes);
    const answer = await text(socket);
    const [summary] = (await ended) as [Summary];
    assert.equal(endingOf(summary), "invalid");
    const [, id] = /^x-request-id: (.*)\r$/im.exec(answer)!;
    assert.deepEqual(lines, [`${id} - ${told}`]);
  });
}

test("a body that ends early, as that of a client that leaves, is logged as cancelled", async (context) => {
  const { port, lines, telemetry } = await serveStandIn(context);
  const ended = once(telemetry, "ended");
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.end(`${JSON_POST}Content-Length: 9\r\n\r\nearly`);
  assert.match(await text(socket), /^HTTP\/1\.1 400 /);
  assert.equal(endingOf(((await ended) as [Summary])[0]), "cancelled");
  assert.match(lines.join("\n"), new RegExp(`^${ID} - POST /generate: cancelled$`));
});

test("a refusal's log entry is one bounded line, whatever the request", async (context) => {
  const { url, post, lines } = await serveStandIn(context);
  const name = "\n\u001b[2J\u2028\u202e".repeat(1000);
  await post("/v1/completions", { prompt: "x", model: name });
  await post("/generate", { prompt: "x", logit_bias: { [name]: 1 } });
  await fetch(`${url}/${"a/".repeat(2000)}`);
  const refused = lines.filter((line) => /: \d{3}, /.test(line));
  assert.equal(refused.length, 3);
  for (const line of refused) {
    assert.ok(line.length < 600, line);
    assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}]/u);
  }
});

test("a job's log lines quote its prompt when it is accepted, and say why it failed", async (context) => {
  const { post, jobs, until, lines } = await serveStandIn(context, { hold: true });
  await post("/jobs", { prompt: "a job's prompt" });
  await until(() => jobs.length === 1);
  jobs[0]!.fail(new GenerationFailed("a reason"));
  const failed = new RegExp(`^${ID} - job failed: 500, The generation failed: a reason$`);
  while (!lines.some((line) => failed.test(line))) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(lines.some((line) => / - job accepted for \/generate: a job's prompt$/.test(line)));
});

test("the line of an answer that its client cuts off has the tokens that it took, once the slot is free", async (context) => {
  const { url, jobs, until, lines, telemetry } = await serveStandIn(context, {
    hold: true,
    cancelled: { promptTokens: 2, completionTokens: 7 },
  });
  for (const stream of [true, false]) {
    const before = jobs.length;
    const ended = once(telemetry, "ended") as Promise<[Summary]>;
    const leaving = new AbortController();
    const answer = fetch(`${url}/generate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "xy", max_tokens: 100, stream }),
      signal: leaving.signal,
    });
    answer.catch(() => {});
    await until(() => jobs.length > before);
    if (stream) await answer;
    leaving.abort();
    const [{ generation }] = await ended;
    assert.equal(generation?.completionTokens, 7);
    assert.ok(generation.endedAt !== null);
    assert.match(
      lines.at(-1)!,
      / - POST \/generate: cancelled, 2 \+ 7 tokens, queued \d+ ms, ran \d+ ms: xy$/,
    );
  }
});

for (const [path, body, told] of [
  ["/generate", { prompt: "x", max_token: 1 }, "no field max_token; did you mean max_tokens?"],
  ["/chat", { prompt: "x", tempertaure: 0 }, "no field tempertaure; did you mean temperature?"],
  [
    "/v1/completions",
    { prompt: "x", Stop: "a", best_off: 1 },
    "no field Stop; did you mean stop? no field best_off; did you mean best_of?",
  ],
  [
    "/v1/chat/completions",
    { messages: [{ role: "user", content: "x" }], max_completion_token: 1 },
    "no field max_completion_token; did you mean max_completion_tokens?",
  ],
  ["/jobs", { prompt: "x", callbackurl: "x" }, "no field callbackurl; did you mean callback_url?"],
  ["/jobs", { prompt: "x", max_tokesn: 1 }, "no field max_tokesn; did you mean max_tokens?"],
] as const)
  test(`${path} answers as usual, and the log warns: ${told}`, async (context) => {
    const { post, lines } = await serveStandIn(context);
    const response = await post(path, body);
    assert.ok(response.ok);
    assert.equal(lines[0], `${response.headers.get("x-request-id")} - POST ${path}: ${told}`);
  });

test("fields that aren't misspelled cause no warning, and many hostile ones only a short one", async (context) => {
  const { post, lines } = await serveStandIn(context);
  await post("/generate", {
    prompt: "x",
    user: "anna",
    k: 1,
    "": 1,
    metadata: {},
    __proto__: 1,
    max_tokens: 1,
  });
  assert.doesNotMatch(lines.join(), /did you mean/);
  const slips = Array.from({ length: 10_000 }, (_, n) => [
    `max_tokens${String.fromCodePoint(0x4e00 + n)}`,
    1,
  ]);
  await post("/generate", { prompt: "x", ["x".repeat(300_000)]: 1, ...Object.fromEntries(slips) });
  const line = lines.find((one) => one.includes("did you mean"))!;
  assert.equal(line.split("did you mean").length - 1, 5);
  assert.ok(line.length < 500);
});

const secret = "geheim";

test("with prompts hidden, no log line quotes anything of a body", async (context) => {
  const { post, lines } = await serveStandIn(context, { hidesPrompts: true });
  const schema = { [secret]: 1, not: {} };
  for (const path of ["/generate", "/v1/completions", "/v1/chat/completions", "/jobs", "/tokenize"])
    for (const body of [
      { prompt: "x", model: secret },
      { prompt: secret, messages: [{ role: "user", content: secret }], [secret]: secret, max_tokens: 1e9 },
      { prompt: [secret, 5] },
      { prompt: secret, "top_k!": 1 },
      { prompt: secret, suffix: secret },
      { prompt: secret, regex: `(${secret}` },
      { prompt: secret, grammar: `root ::= ${secret}` },
      { prompt: secret, logit_bias: { [secret]: 1 } },
      { prompt: secret, logit_bias: { [secret]: secret } },
      { prompt: secret, response_format: { type: "json_schema", json_schema: { schema } } },
      { messages: [{ role: "user", content: [{ type: secret, text: secret }] }] },
      { messages: [{ role: "system", content: secret }] },
      { messages: [{ role: secret, content: secret }] },
      { prompt: secret, endpoint: secret, callback_url: secret },
      `{"prompt": "${secret}`,
    ])
      await (await post(path, body)).text();
  assert.ok(lines.length > 60, `${lines.length} lines`);
  for (const line of lines) assert.doesNotMatch(line, new RegExp(`${secret}|top_k!`));
  for (const told of ["422, body.logit_bias: value_error", "422, body.prompt: Field required"])
    assert.ok(
      lines.some((line) => line.endsWith(`POST /generate: ${told}`)),
      told,
    );
});

test("with prompts hidden, an internal error's log line has its name and stack without the message", async (context) => {
  const { post, jobs, until, lines } = await serveStandIn(context, { hold: true, hidesPrompts: true });
  for (const error of [new GenerationFailed(secret), new TypeError(`${secret}\n    at ${secret}`)]) {
    const before = jobs.length;
    const answered = post("/generate", { prompt: secret });
    await until(() => jobs.length > before);
    jobs.at(-1)!.fail(error);
    assert.equal((await answered).status, 500);
  }
  for (const line of lines) assert.doesNotMatch(line, new RegExp(secret));
  const times = "0 \\+ 0 tokens, queued \\d+ ms, ran \\d+ ms";
  assert.match(lines[1]!, new RegExp(` - POST /generate: 500, The generation failed, ${times}$`));
  assert.match(
    lines[3]!,
    new RegExp(` - POST /generate: 500, Internal Server Error, ${times} TypeError\\n {4}at `),
  );
});

test("where keys are set, only a request with a valid key has a caller", async (context) => {
  const callers = new Callers([{ name: "web", hash: hashKey("one"), priority: 0, limits: unlimited }]);
  const { url, telemetry } = await serveStandIn(context, { callers });
  const named: [string, string | null][] = [];
  telemetry.on("ended", ({ path, caller }) => named.push([path, caller]));
  const get = async (path: string, key: string | null) => {
    const ended = once(telemetry, "ended");
    await (await fetch(url + path, { headers: key === null ? {} : { "x-api-key": key } })).text();
    await ended;
  };
  await get("/health", null);
  await get("/v1/models", "one");
  await get("/v1/usage", "two");
  assert.deepEqual(named, [
    ["/health", null],
    ["/v1/models", "web"],
    ["/v1/usage", null],
  ]);
});
