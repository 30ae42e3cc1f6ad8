import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type Config, packageRoot } from "./config.js";

/** A schema of openapi.yaml, as far as the server reads it itself. */
export interface Schema {
  type?: string | string[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  default?: unknown;
}

export interface Document {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, unknown>>;
  components: {
    schemas: { GenerationRequest: { properties: Record<string, Schema> } };
    responses: Record<string, unknown>;
  };
}

/** Reads openapi.yaml, with this server's own limits in place of the usual ones. */
export function readDocument(limits: Pick<Config, "maxTokens" | "maxPromptChars">): Document {
  const document = parse(readFileSync(join(packageRoot, "openapi.yaml"), "utf8")) as Document;
  const { prompt, max_tokens } = document.components.schemas.GenerationRequest.properties;
  prompt!.maxLength = limits.maxPromptChars;
  max_tokens!.maximum = limits.maxTokens;
  max_tokens!.default = Math.min(max_tokens!.default as number, limits.maxTokens);
  return document;
}
