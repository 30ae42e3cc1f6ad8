import assert from "node:assert/strict";
import { test } from "node:test";
import { readDocument } from "../http/document.js";
import { type ErrorCode, errors, invalidBody, PublicError } from "./errors.js";
import { type OpenAiError, openAiError, openAiStatus } from "./openai-error.js";

interface Response {
  content: { "application/json": { examples: Record<string, { value: { detail: unknown } | OpenAiError }> } };
}

const document = readDocument({ maxTokens: 1, maxPromptChars: 1 });

const statusesOfNoOperation: Record<string, number> = {
  NotFound: 404,
  Malformed: 400,
  MethodNotAllowed: 405,
  RequestTimeout: 408,
  ExpectationFailed: 417,
  Misdirected: 421,
  HeadersTooLarge: 431,
  OpenAiMalformed: 400,
  OpenAiMethodNotAllowed: 405,
  OpenAiRequestTimeout: 408,
  OpenAiExpectationFailed: 417,
  OpenAiMisdirected: 421,
};

/** Status of a response component of openapi.yaml: from the operations that use it, else from the table above. */
function statusOf(name: string): number {
  const statuses = new Set<number>();
  for (const path of Object.values(document.paths)) {
    for (const operation of Object.values(path) as { responses: Record<string, { $ref?: string }> }[]) {
      for (const [status, { $ref }] of Object.entries(operation.responses)) {
        if ($ref === `#/components/responses/${name}`) statuses.add(Number(status));
      }
    }
  }
  if (statuses.size === 0) return statusesOfNoOperation[name] ?? Number.NaN;
  assert.equal(statuses.size, 1, `${name} has one status`);
  return [...statuses][0]!;
}

test("the table of errors and openapi.yaml agree", () => {
  const documented: Record<string, { status: number; detail: unknown }> = {};
  for (const [name, response] of Object.entries(document.components.responses)) {
    if (name === "Page") continue;
    const { examples } = (response as Response).content["application/json"];
    for (const [code, { value }] of Object.entries(examples)) {
      const status = statusOf(name);
      if ("detail" in value) {
        documented[code] = { status, detail: value.detail };
        continue;
      }
      const error =
        code === "invalid_body"
          ? invalidBody({ loc: ["body", "messages"], msg: "Field required", type: "missing" })
          : new PublicError(code as ErrorCode);
      assert.deepEqual([openAiStatus(error), openAiError(error)], [status, value], code);
      documented[code] ??= { status, detail: value.error.message };
    }
  }
  // A 422 is not compared by text: its detail is a list of wrong fields.
  const { detail } = documented.invalid_body!;
  assert.ok(Array.isArray(detail));
  assert.deepEqual(documented, { ...errors, invalid_body: { status: 422, detail } });
});

test("an error's body has FastAPI's form", () => {
  assert.deepEqual(new PublicError("queue_full", { retryAfter: 3 }).body, { detail: "The queue is full" });
  const field = { loc: ["body", "prompt"], msg: "Field required", type: "missing" };
  assert.deepEqual(invalidBody(field).body, { detail: [field] });
});
