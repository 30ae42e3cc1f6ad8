import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type Config, packageRoot } from "./config.js";

/** A schema of openapi.yaml, as far as the server reads it itself. */
export interface Schema {
  $ref?: string;
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  type?: string | string[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  default?: unknown;
}

interface Content {
  content?: { "application/json"?: { schema: Schema } };
}

interface OperationObject {
  requestBody?: Content & { $ref?: string };
}

export interface Document {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, OperationObject>>;
  components: {
    schemas: Record<string, Schema>;
    requestBodies: Record<string, Content>;
    responses: Record<string, unknown>;
  };
}

/** Reads openapi.yaml, with this server's own limits in place of the usual ones. */
export function readDocument(limits: Pick<Config, "maxTokens" | "maxPromptChars">): Document {
  const document = parse(readFileSync(join(packageRoot, "openapi.yaml"), "utf8")) as Document;
  const { prompt, max_tokens } = propertiesOf(document, document.components.schemas.GenerationRequest!);
  prompt!.maxLength = limits.maxPromptChars;
  max_tokens!.maximum = limits.maxTokens;
  max_tokens!.default = Math.min(max_tokens!.default as number, limits.maxTokens);
  return document;
}

/** The fields of the JSON bodies that a path is POSTed, by name; none where it takes no body. */
export function bodyProperties(document: Document, path: string): Record<string, Schema> {
  let body = document.paths[path]?.post?.requestBody;
  if (body?.$ref) body = document.components.requestBodies[nameOf(body.$ref)];
  const schema = body?.content?.["application/json"]?.schema;
  return schema ? propertiesOf(document, schema) : {};
}

/** An object's properties, those that its schema takes from others included. */
function propertiesOf(document: Document, schema: Schema): Record<string, Schema> {
  if (schema.$ref) return propertiesOf(document, document.components.schemas[nameOf(schema.$ref)]!);
  return Object.assign(
    {},
    ...(schema.allOf ?? []).map((part) => propertiesOf(document, part)),
    schema.properties,
  );
}

const nameOf = (reference: string) => reference.split("/").at(-1)!;
