import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { decodeText } from "./decode-text.js";
import { ModelError } from "./error.js";

/** A JSON object of a model folder, not yet checked. */
export type Fields = Record<string, unknown>;

/** @throws ModelError if the file is missing, or holds anything but a JSON object */
export function readFields(dir: string, name: string): Fields {
  requireFile(dir, name);
  let value: unknown;
  try {
    value = JSON.parse(decodeText(readFileSync(join(dir, name))));
  } catch (error) {
    throw new ModelError(
      `${join(dir, name)}: expected JSON, got: ${(error as Error).message.replace(/\s+/g, " ")}`,
    );
  }
  if (!isFields(value))
    throw new ModelError(`${join(dir, name)}: expected a JSON object, got ${shown(value)}`);
  return value;
}

/** @throws ModelError if there is no such file */
export function requireFile(dir: string, name: string): { size: number } {
  const file = statSync(join(dir, name), { throwIfNoEntry: false });
  if (file?.isFile()) return file;
  throw new ModelError(`model folder ${dir}: expected the file ${name}, got none; import the model again`);
}

export function isFields(value: unknown): value is Fields {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

export function isIntegerIn(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}

export function unexpected(file: string, name: string, expected: string, got: unknown): ModelError {
  return new ModelError(`${file}: expected ${expected} for ${name}, got ${shown(got)}`);
}

/** A value as error messages show it: JSON on one line, cut short. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(upTo(60, value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/**
 * Limits nesting: JSON.stringify overflows the stack on deep values that JSON.parse accepts. Output is cut to 60
 * characters anyway.
 */
function upTo(levels: number, value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (levels === 0) return null;
  if (Array.isArray(value)) return value.map((inner) => upTo(levels - 1, inner));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, upTo(levels - 1, inner)]));
}
