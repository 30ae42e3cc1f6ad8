// What openapi.yaml doesn't allow is refused in pydantic's words, with the limit that the document sets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { publicError } from "../errors/errors.js";
import { worded } from "../errors/openai-error.js";
import { serveStandIn } from "../fixtures/stand-in.js";
import { BodySchemas } from "../http/body-schemas.js";
import { bodyProperties, readDocument } from "../http/document.js";

const limits = { maxTokens: 100, maxPromptChars: 1000 };
const document = readDocument(limits);
const schemas = new BodySchemas(document);

const valid: Record<string, object> = {
  "/generate": { prompt: "안녕" },
  "/chat": { prompt: "안녕" },
  "/v1/completions": { model: "jai-small", prompt: "안녕" },
  "/v1/chat/completions": { model: "jai-small", messages: [{ role: "user", content: "안녕" }] },
};
const values = [true, null, "x", "", -1e6, 1e9, 1.5, [], [1], ["x", {}], Array(40).fill("x"), {}, { x: "y" }];

/** The answer to a body that openapi.yaml doesn't allow; null for one that it allows. */
function refusal(path: string, body: object): { status: number; body: object } | null {
  try {
    schemas.hold(path, structuredClone(body));
    return null;
  } catch (error) {
    return worded(publicError(error), path);
  }
}

test("requests are refused in the words in which jobs and the library refuse the same bodies", async (context) => {
  const { post } = await serveStandIn(context, limits);
  let refused = 0;
  for (const [path, body] of Object.entries(valid)) {
    assert.equal(refusal(path, body), null, path);
    for (const field of Object.keys(bodyProperties(document, path))) {
      for (const value of values) {
        const wrong = { ...body, [field]: value };
        const expected = refusal(path, wrong);
        if (expected === null) continue;
        refused++;
        const response = await post(path, JSON.stringify(wrong));
        const got = { status: response.status, body: await response.json() };
        assert.deepEqual(got, expected, `${path} ${field}: ${JSON.stringify(value)}`);
        assert.doesNotMatch(JSON.stringify(got.body), /undefined|NaN/);
      }
    }
  }
  assert.ok(refused > 300, `${refused} refusals`);
});

test("so are parameters of the query", async (context) => {
  const { url } = await serveStandIn(context);
  for (const [query, msg] of [
    ["limit=0", "Input should be greater than or equal to 1"],
    ["limit=101", "Input should be less than or equal to 100"],
    ["limit=x", "Input should be a valid integer"],
  ]) {
    const { detail } = (await (await fetch(`${url}/jobs?${query}`)).json()) as { detail: { msg: string }[] };
    assert.equal(detail[0]!.msg, msg, query);
  }
});
