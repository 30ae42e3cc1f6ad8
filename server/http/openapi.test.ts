import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { packageRoot } from "../settings/config.js";
import { type Document, readDocument } from "./document.js";

const document = parse(readFileSync(join(packageRoot, "openapi.yaml"), "utf8")) as Document;
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ ...document, $id: "openapi.json" });

interface Parameter {
  name: string;
  in: string;
}

interface Operation {
  tags?: string[];
  operationId?: string;
  summary?: string;
  parameters?: (Parameter & { $ref?: string })[];
  responses: Record<string, { description?: string; $ref?: string }>;
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods as unknown as Record<string, Operation>).map(([method, operation]) => ({
    path,
    name: `${method.toUpperCase()} ${path}`,
    operation,
  })),
);

/** Calls back with every object inside a value, and its JSON pointer. */
function walk(
  value: unknown,
  visit: (node: Record<string, unknown>, pointer: string) => void,
  pointer = "#",
): void {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) visit(value as Record<string, unknown>, pointer);
  for (const [key, child] of Object.entries(value))
    walk(child, visit, `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`);
}

const at = (pointer: string) =>
  pointer
    .split("/")
    .slice(1)
    .reduce<unknown>(
      (value, key) => (value as Record<string, unknown>)?.[key.replaceAll("~1", "/").replaceAll("~0", "~")],
      document,
    );

describe("openapi.yaml", () => {
  it("is valid OpenAPI, both the file and what a server sends", async () => {
    for (const one of [document, readDocument({ maxTokens: 7, maxPromptChars: 7 })]) {
      const { valid, errors } = await new Validator().validate({ ...structuredClone(one) });
      assert.ok(valid, JSON.stringify(errors));
    }
  });

  it("has no broken reference, and no unused component", () => {
    const referred = new Set<string>();
    walk(document, ({ $ref }, pointer) => {
      if (typeof $ref !== "string") return;
      assert.notEqual(at($ref), undefined, `${pointer} refers to ${$ref}`);
      referred.add($ref);
    });
    // These responses belong to no operation: Node or the server as a whole sends them.
    const everywhere = [
      "NotFound",
      "Malformed",
      "MethodNotAllowed",
      "RequestTimeout",
      "ExpectationFailed",
      "Misdirected",
      "HeadersTooLarge",
      "OpenAiMalformed",
      "OpenAiMethodNotAllowed",
      "OpenAiRequestTimeout",
      "OpenAiExpectationFailed",
      "OpenAiMisdirected",
    ];
    for (const name of everywhere) referred.add(`#/components/responses/${name}`);
    // Security schemes are named, not referred to.
    const { security } = document as unknown as { security: Record<string, unknown>[] };
    for (const name of security.flatMap(Object.keys)) referred.add(`#/components/securitySchemes/${name}`);
    for (const [kind, components] of Object.entries(document.components))
      for (const name of Object.keys(components as object)) {
        const pointer = `#/components/${kind}/${name}`;
        assert.ok(referred.has(pointer), `${pointer} is not used`);
      }
  });

  it("names and describes every operation, once", () => {
    const tags = (document as unknown as { tags: { name: string }[] }).tags.map(({ name }) => name);
    const ids = operations.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    for (const { name, operation } of operations) {
      assert.ok(operation.operationId && operation.summary, name);
      assert.ok(operation.tags?.length === 1 && tags.includes(operation.tags[0]!), `${name}: its tag`);
      assert.ok(
        Object.keys(operation.responses).some((status) => status.startsWith("2")),
        `${name}: a response of success`,
      );
    }
    for (const tag of tags)
      assert.ok(
        operations.some(({ operation }) => operation.tags?.includes(tag)),
        tag,
      );
  });

  it("declares exactly the parameters of each path", () => {
    for (const { path, name, operation } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      const declared = (operation.parameters ?? [])
        .map((parameter) => (parameter.$ref ? (at(parameter.$ref) as Parameter) : parameter))
        .filter((parameter) => parameter.in === "path");
      assert.deepEqual(
        declared.map((parameter) => parameter.name),
        inPath,
        name,
      );
    }
  });

  it("has examples that match their schemas", () => {
    let examples = 0;
    const check = (pointer: string, example: unknown) => {
      const validate = ajv.getSchema(`openapi.json${encodeURI(pointer)}/schema`)!;
      assert.ok(validate(example), `${pointer}: ${ajv.errorsText(validate.errors)}`);
      examples++;
    };
    walk(document, (node, pointer) => {
      if (typeof node.schema !== "object" || !/\/content\/[^/]+$/.test(pointer)) return;
      if (node.example !== undefined) check(pointer, node.example);
      for (const { value } of Object.values((node.examples ?? {}) as Record<string, { value: unknown }>))
        check(pointer, value);
    });
    assert.ok(examples > 30);
  });

  it("has example events whose data match their schemas", () => {
    let events = 0;
    walk(document, (node, pointer) => {
      if (!pointer.endsWith("/content/text~1event-stream") || !Array.isArray(node.example)) return;
      const { $ref } = node.schema as { $ref: string };
      const { oneOf } = (at($ref) as { items: { oneOf: { $ref: string }[] } }).items;
      for (const example of node.example as { data: string }[]) {
        const kind = oneOf.find((one) => ajv.getSchema(`openapi.json${one.$ref}`)!(example))!;
        const { data } = (at(kind.$ref) as { properties: { data: { contentSchema?: { $ref: string } } } })
          .properties;
        events++;
        if (data.contentSchema === undefined) continue;
        const validate = ajv.getSchema(`openapi.json${data.contentSchema.$ref}`)!;
        assert.ok(validate(JSON.parse(example.data)), `${example.data}: ${ajv.errorsText(validate.errors)}`);
      }
    });
    assert.ok(events > 8);
  });
});
