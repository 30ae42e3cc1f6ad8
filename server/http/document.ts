import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, packageRoot } from "../settings/config.js";

/** A schema of openapi.yaml: only the fields that the server's own code reads. */
export interface Schema {
  $ref?: string;
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  required?: string[];
  type?: string | string[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
  default?: unknown;
}

interface Content {
  content?: { "application/json"?: { schema: Schema } };
}

interface Parameter {
  name: string;
  schema: Schema;
}

interface OperationObject {
  requestBody?: Content & { $ref?: string };
  parameters?: (Parameter | { $ref: string })[];
}

export interface Document {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, OperationObject>>;
  components: {
    schemas: Record<string, Schema>;
    requestBodies: Record<string, Content>;
    parameters: Record<string, Parameter>;
    responses: Record<string, unknown>;
  };
}

/** Reads openapi.yaml, as the build wrote it in JSON, with this server's limits in place of the default ones. */
export function readDocument(limits: Pick<Config, "maxTokens" | "maxPromptChars">): Document {
  const document = JSON.parse(readFileSync(join(packageRoot, "dist/openapi.json"), "utf8")) as Document;
  const { schemas } = document.components;
  for (const [name, schema] of Object.entries(schemas)) schemas[name] = flatten(schema, schemas);
  const { prompt, max_tokens } = bodyProperties(document, "/generate");
  prompt!.maxLength = limits.maxPromptChars;
  max_tokens!.maximum = limits.maxTokens;
  max_tokens!.default = Math.min(max_tokens!.default as number, limits.maxTokens);
  return document;
}

/** Fields of the JSON body that a path takes by POST, by name; empty where it takes none. */
export function bodyProperties(document: Document, path: string): Record<string, Schema> {
  return requestSchema(document, path).properties ?? {};
}

/** Schema of the JSON body that a path takes by POST; empty where it takes none. */
export function requestSchema(document: Document, path: string): Schema {
  const body = document.paths[path]?.post?.requestBody;
  const { content } = (body?.$ref ? document.components.requestBodies[nameOf(body.$ref)] : body) ?? {};
  return resolve(content?.["application/json"]?.schema ?? {}, document);
}

/** The parameters of an operation: of its path, its query and its headers. */
export function parametersOf(document: Document, path: string, method: string): Parameter[] {
  const { parameters = [] } = document.paths[path]?.[method.toLowerCase()] ?? {};
  return parameters.map((one) => ("$ref" in one ? document.components.parameters[nameOf(one.$ref)]! : one));
}

/** Follows a schema's `$ref`, if it has one. */
export function resolve(schema: Schema, { components }: Document): Schema {
  return schema.$ref ? components.schemas[nameOf(schema.$ref)]! : schema;
}

/**
 * Merges the parts of an `allOf` into one object schema. Unmerged, the validator would let requests without a body
 * pass, and report each error once for each part.
 */
function flatten({ allOf, ...schema }: Schema, schemas: Record<string, Schema>): Schema {
  if (allOf === undefined) return schema;
  const parts = [...allOf, schema].map((part) => (part.$ref ? schemas[nameOf(part.$ref)]! : part));
  const required = parts.flatMap((part) => part.required ?? []);
  return Object.assign({}, ...parts, {
    ...(required.length > 0 && { required }),
    properties: structuredClone(Object.assign({}, ...parts.map(({ properties }) => properties))),
  });
}

const nameOf = (reference: string) => reference.split("/").at(-1)!;
