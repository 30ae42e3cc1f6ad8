import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../../workers/grammar/compiled.js";
import { formOf } from "../../workers/grammar/compiler.js";
import { errors } from "../errors/errors.js";
import { serveStandIn } from "../fixtures/stand-in.js";

test("every field reaches the task", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const response = await post("/generate", {
    prompt: "ab",
    max_tokens: 7,
    temperature: 0.5,
    top_k: 3,
    top_p: 0.9,
    min_p: 0.1,
    typical_p: 0.8,
    repetition_penalty: 1.1,
    presence_penalty: 0.2,
    frequency_penalty: -0.3,
    logit_bias: { "5": -100, "99": 2.5 },
    seed: 4_294_967_298,
    stop: ["x", "y"],
    min_tokens: 2,
    ignore_eos: true,
    regex: "[ab]+",
  });
  assert.equal(response.status, 200);
  const { id, onText: _, onRead: __, grammar, ...task } = jobs[0]!.task;
  assert.equal(id, response.headers.get("x-request-id"));
  assert.deepEqual(task, {
    promptIds: [97, 98],
    maxTokens: 7,
    minTokens: 2,
    sampling: {
      temperature: 0.5,
      topK: 3,
      topP: 0.9,
      minP: 0.1,
      typicalP: 0.8,
      repetitionPenalty: 1.1,
      presencePenalty: 0.2,
      frequencyPenalty: -0.3,
      logitBias: [
        [5, -100],
        [99, 2.5],
      ],
      seed: [2, 1],
    },
    stop: ["x", "y"],
    ignoreEos: true,
    logprobs: null,
    promptLogprobs: false,
  });
  assert.deepEqual(grammar?.numbers, encode(formOf({ type: "regex", pattern: "[ab]+" })));
});

test("null means the default", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const names = [
    "top_p",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
  ];
  const more = ["logit_bias", "stop", "min_tokens", "n", "response_format", "regex", "grammar", "timeout"];
  const nulls = Object.fromEntries([...names, ...more].map((name) => [name, null]));
  for (const body of [{}, nulls]) await post("/chat", { prompt: "x", seed: 1, ...body });
  const [plain, withNulls] = jobs.map(({ task: { id: _, onRead: __, ...fields } }) => fields);
  assert.deepEqual(withNulls, plain);
});

test("values out of range are refused", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const bodies: [string, unknown][] = [
    ["top_p", 1.1],
    ["min_p", -0.1],
    ["typical_p", 0],
    ["repetition_penalty", 0],
    ["presence_penalty", 3],
    ["frequency_penalty", -3],
    ["logit_bias", { "5": 101 }],
    ["logit_bias", { "100": 1 }],
    ["logit_bias", { "-1": 1 }],
    ["logit_bias", { five: 1 }],
    ["min_tokens", -1],
    ["n", 0],
    ["n", 17],
    ["response_format", { type: "xml" }],
    ["response_format", {}],
    ["response_format", { type: "json_schema" }],
    ["regex", ""],
    ["timeout", { total: 0 }],
  ];
  for (const [name, value] of bodies) {
    const response = await post("/generate", { prompt: "x", [name]: value });
    const { detail } = (await response.json()) as { detail: { loc: string[] }[] };
    assert.deepEqual(
      [response.status, detail[0]?.loc.slice(0, 2)],
      [422, ["body", name]],
      `${name} ${value}`,
    );
  }
  assert.equal(jobs.length, 0);
});

test("two forms at once are refused", async (context) => {
  const { post } = await serveStandIn(context);
  const response = await post("/generate", { prompt: "x", regex: "a", grammar: 'root ::= "a"' });
  assert.equal(response.status, 422);
  assert.match(await response.text(), /expected one of response_format, regex and grammar, got several/);
});

test("a form that no text can have is refused before it is queued", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  // The stand-in's model has tokens up to "c".
  for (const field of [{ regex: "(" }, { regex: "z" }, { grammar: "root ::= root" }]) {
    const response = await post("/generate", { prompt: "x", ...field });
    const { detail } = (await response.json()) as { detail: string };
    assert.deepEqual([response.status, detail.split(":")[0]], [400, errors.invalid_grammar.detail]);
  }
  const openAi = await post("/v1/completions", { prompt: "x", regex: "z" });
  const { error } = (await openAi.json()) as { error: { code: string } };
  assert.deepEqual([openAi.status, error.code], [400, "invalid_grammar"]);
  assert.equal(jobs.length, 0);
});

test("a schema nested as deeply as a body can hold is refused", async (context) => {
  const { url, jobs } = await serveStandIn(context);
  const depth = 19_996;
  const schema = `${'{"items":'.repeat(depth)}{}${"}".repeat(depth)}`;
  const format = `{"type":"json_schema","json_schema":{"schema":${schema}}}`;
  const response = await fetch(`${url}/generate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"prompt":"x","response_format":${format}}`,
  });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /nested too deeply/);
  assert.equal(jobs.length, 0);
});

test("a chat's default stop text doesn't cut a text that has a form; a requested one does", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const messages = [{ role: "user", content: "x" }];
  await post("/chat", { prompt: "x", regex: "[ab]+" });
  await post("/v1/chat/completions", { messages, regex: "[ab]+", max_tokens: 5 });
  await post("/chat", { prompt: "x", regex: "[ab]+", stop: "b" });
  assert.deepEqual(
    jobs.map(({ task }) => task.stop),
    [[], [], ["b"]],
  );
});
