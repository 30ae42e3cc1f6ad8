// Compares the TypeScript types of bodies with their schemas in openapi.yaml. A field that only one of them has, or
// that has another type in the other, fails here or doesn't compile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Document, readDocument, requestSchema, resolve, type Schema } from "../http/document.js";
import type { DetokenizeBody, RenderBody, TokenizeBody } from "../routes/tools.js";
import type { NativeFields } from "./native/native.js";
import type { ChatFields } from "./openai/chat-completions.js";
import type { CompletionFields } from "./openai/completions.js";

type Kind<T> = T extends string
  ? "string"
  : T extends number
    ? "number"
    : T extends boolean
      ? "boolean"
      : T extends null
        ? "null"
        : T extends readonly unknown[]
          ? "array"
          : "object";

/** Exactly the JSON types of each field; "anything" for a field that is only refused. */
type Described<T> = {
  readonly [Name in keyof Required<T>]: unknown extends T[Name]
    ? "anything"
    : { readonly [One in Kind<Exclude<T[Name], undefined>>]: true };
};

const text = { string: true } as const;
const number = { number: true } as const;
const numberOrNull = { number: true, null: true } as const;
const textOrNull = { string: true, null: true } as const;
const booleanOrNull = { boolean: true, null: true } as const;
const objectOrNull = { object: true, null: true } as const;
const list = { array: true } as const;

const generation = {
  top_p: numberOrNull,
  min_p: numberOrNull,
  typical_p: numberOrNull,
  repetition_penalty: numberOrNull,
  presence_penalty: numberOrNull,
  frequency_penalty: numberOrNull,
  logit_bias: objectOrNull,
  seed: numberOrNull,
  stop: { string: true, array: true, null: true },
  min_tokens: numberOrNull,
  ignore_eos: booleanOrNull,
  n: numberOrNull,
  stream: booleanOrNull,
  priority: numberOrNull,
  timeout: objectOrNull,
  response_format: objectOrNull,
  regex: textOrNull,
  grammar: textOrNull,
} as const;

const native: Described<NativeFields> = {
  ...generation,
  prompt: text,
  max_tokens: number,
  temperature: number,
  top_k: number,
  ignore_eos: { boolean: true },
  stream: { boolean: true },
};

const openAi = {
  ...generation,
  temperature: numberOrNull,
  top_k: numberOrNull,
  model: textOrNull,
  stream_options: objectOrNull,
} as const;

const completion: Described<CompletionFields> = {
  ...openAi,
  prompt: { string: true, array: true },
  max_tokens: numberOrNull,
  best_of: numberOrNull,
  echo: booleanOrNull,
  logprobs: numberOrNull,
  suffix: "anything",
};

const chat: Described<ChatFields> = {
  ...openAi,
  messages: list,
  max_tokens: numberOrNull,
  max_completion_tokens: numberOrNull,
  logprobs: booleanOrNull,
  top_logprobs: numberOrNull,
  tools: "anything",
  tool_choice: "anything",
  modalities: "anything",
};

const tokenize: Described<TokenizeBody> = {
  model: textOrNull,
  prompt: text,
  messages: list,
  add_special_tokens: booleanOrNull,
  return_token_strs: booleanOrNull,
};
const detokenize: Described<DetokenizeBody> = { model: textOrNull, tokens: list };
const render: Described<RenderBody> = { model: textOrNull, messages: list };

function kinds(schema: Schema, document: Document): string[] {
  const { type, enum: values } = resolve(schema, document) as Schema & { enum?: unknown[] };
  if (type === undefined)
    return [...new Set(values?.map((value) => (value === null ? "null" : typeof value)))];
  return [type].flat().map((one) => (one === "integer" ? "number" : one));
}

for (const [path, described] of Object.entries({
  "/generate": native,
  "/chat": native,
  "/v1/completions": completion,
  "/v1/chat/completions": chat,
  "/tokenize": tokenize,
  "/detokenize": detokenize,
  "/v1/chat/completions/render": render,
}))
  test(`the code's type of a ${path} body has the fields and types of openapi.yaml`, () => {
    const document = readDocument({ maxTokens: 4096, maxPromptChars: 1000 });
    const { properties } = requestSchema(document, path);
    const names = Object.keys(properties!).sort();
    assert.deepEqual(Object.keys(described).sort(), names);
    for (const name of names) {
      const expected = (described as Record<string, "anything" | object>)[name]!;
      if (expected === "anything") continue;
      assert.deepEqual(Object.keys(expected).sort(), kinds(properties![name]!, document).sort(), name);
    }
  });
