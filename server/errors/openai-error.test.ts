import assert from "node:assert/strict";
import { test } from "node:test";
import { type FieldError, invalidBody, PublicError } from "./errors.js";
import { isOpenAiPath, openAiError, openAiStatus } from "./openai-error.js";

test("paths under /v1 are OpenAI's, and no others", () => {
  for (const path of ["/v1", "/v1/", "/v1/models", "/v1/no/such"]) assert.ok(isOpenAiPath(path), path);
  for (const path of ["/", "/generate", "/v1x", "/v10/models", "/jobs/v1/"])
    assert.ok(!isOpenAiPath(path), path);
});

for (const [field, message, param, code] of [
  [
    { loc: ["body", "messages"], msg: "Field required", type: "missing" },
    "Missing required parameter: 'messages'.",
    "messages",
    "missing_required_parameter",
  ],
  [
    {
      loc: ["body", "messages", 0, "content", 1, "type"],
      msg: "Value error, expected x",
      type: "value_error",
    },
    "Invalid 'messages[0].content[1].type': expected x.",
    "messages[0].content[1].type",
    "invalid_value",
  ],
  [
    { loc: ["body", "n"], msg: "Input should be a valid integer", type: "int_type" },
    "Invalid 'n': Input should be a valid integer.",
    "n",
    "invalid_type",
  ],
  [
    { loc: ["body", "tools"], msg: "the model calls no tools", type: "unsupported" },
    "Invalid 'tools': the model calls no tools.",
    "tools",
    "unsupported_parameter",
  ],
  [
    { loc: ["body"], msg: "Value error, expected either", type: "value_error" },
    "Invalid 'body': expected either.",
    null,
    "invalid_value",
  ],
  [
    { loc: ["body", 7], msg: "JSON decode error", type: "json_invalid", ctx: { error: "Unexpected token" } },
    "The body is not valid JSON: Unexpected token at character 7.",
    null,
    "invalid_json",
  ],
] as [FieldError, string, string | null, string][]) {
  test(`an invalid body's message: ${message}`, () => {
    const error = invalidBody(field);
    assert.equal(openAiStatus(error), 400);
    const type = "invalid_request_error";
    assert.deepEqual(openAiError(error), { error: { message, type, param, code } });
  });
}

test("several wrong fields are all named, up to five", () => {
  const field = (index: number) => ({ loc: ["body", `f${index}`], msg: "Field required", type: "missing" });
  const message = (count: number) =>
    openAiError(invalidBody(...Array.from({ length: count }, (_, index) => field(index)))).error.message;
  assert.match(message(2), /'f0'.* 'f1'/);
  assert.equal(message(1000), message(5));
});

test("a caller's own limits are rate limits, an overloaded server is a server error", () => {
  const typeAndCode = (error: PublicError) => [openAiError(error).error.type, openAiError(error).error.code];
  assert.deepEqual(typeAndCode(new PublicError("caller_queue_full")), [
    "rate_limit_error",
    "rate_limit_exceeded",
  ]);
  assert.deepEqual(typeAndCode(new PublicError("queue_full")), ["server_error", "queue_full"]);
  assert.deepEqual(typeAndCode(new PublicError("not_found")), ["invalid_request_error", "unknown_url"]);
});
