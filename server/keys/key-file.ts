import type { Stats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { jsonErrorAt } from "../json-error.js";
import { nearest } from "../nearest.js";
import { PRIORITIES } from "../queue/lanes.js";
import {
  firstRepeated,
  hashKey,
  isKey,
  isName,
  type Key,
  keyForm,
  type Limits,
  unlimited,
} from "../settings/key.js";

const MAX_BYTES = 1024 * 1024;
/** An unknown field with at most so many wrong letters counts as a misspelled known one. */
const MOST_EDITS = 2;

const fieldsOfLimits: Readonly<Record<string, keyof Limits>> = {
  requests_per_minute: "requestsPerMinute",
  tokens_per_minute: "tokensPerMinute",
  tokens_per_day: "tokensPerDay",
  concurrent_requests: "concurrentRequests",
};

/** A key file is invalid or can't be read. The message is one line and reveals no key. */
export class KeyFileError extends Error {
  override name = "KeyFileError";
}

const expected = (where: string, what: string, got = "") =>
  new KeyFileError(`${where}: expected ${what}${got && `, got ${got}`}`);

/** Reads the bytes of a key file. @throws KeyFileError */
export async function readKeyFile(path: string): Promise<Buffer> {
  let stats: Stats;
  try {
    stats = await stat(path);
    // Check the kind first: opening a FIFO would wait for a writer.
    if (stats.isFile() && stats.size <= MAX_BYTES) return await readFile(path);
  } catch (error) {
    throw new KeyFileError(`cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  if (!stats.isFile()) throw expected("the file", "a regular file");
  throw expected("the file", `at most ${MAX_BYTES} bytes`, String(stats.size));
}

/**
 * Reads `{"keys": [{"name", "key" or "sha256", "priority", "limits"}]}`. Unknown fields are an error, since a limit with
 * a typo in its name would limit nothing.
 * @throws KeyFileError
 */
export function parseKeyFile(bytes: Uint8Array): Key[] {
  const { keys: entries } = fields("the file", parseJson(bytes), ["keys"]);
  if (!Array.isArray(entries)) throw expected("keys", "a list", kindOf(entries));
  const keys = entries.map((entry, index) => parseKey(`keys[${index}]`, entry));
  const again = firstRepeated(keys);
  if (again !== -1) throw expected(`keys[${again}]`, "a unique name and key", "those of an earlier entry");
  return keys;
}

function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw expected("the file", "text in UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch {
    // JSON.parse's own message quotes the text, which may hold a key.
    const before = text.slice(0, jsonErrorAt(text)).split("\n");
    throw expected(
      "the file",
      "JSON",
      `an error in line ${before.length}, column ${before.at(-1)!.length + 1}`,
    );
  }
}

function parseKey(where: string, entry: unknown): Key {
  const { name, key, sha256, priority, limits } = fields(where, entry, [
    "name",
    "key",
    "sha256",
    "priority",
    "limits",
  ]);
  if (typeof name !== "string" || !isName(name))
    throw expected(`${where}.name`, "1 to 64 letters, digits and ._-");
  if ((key === undefined) === (sha256 === undefined)) throw expected(where, "either key or sha256");
  return {
    name,
    hash: key === undefined ? parseHash(`${where}.sha256`, sha256) : parsePlain(`${where}.key`, key),
    priority: parsePriority(`${where}.priority`, priority),
    limits: parseLimits(`${where}.limits`, limits),
  };
}

function parsePlain(where: string, key: unknown): Buffer {
  if (typeof key !== "string" || !isKey(key)) throw expected(where, keyForm);
  return hashKey(key);
}

function parseHash(where: string, hash: unknown): Buffer {
  if (typeof hash !== "string" || !/^[0-9a-f]{64}$/i.test(hash))
    throw expected(where, "64 hexadecimal digits");
  return Buffer.from(hash, "hex");
}

function parsePriority(where: string, priority: unknown = 0): number {
  const { min, max } = PRIORITIES;
  if (Number.isInteger(priority) && (priority as number) >= min && (priority as number) <= max)
    return priority as number;
  throw expected(where, `an integer from ${min} to ${max}`, kindOf(priority));
}

function parseLimits(where: string, given: unknown = {}): Limits {
  const limits: Limits = { ...unlimited };
  for (const [field, value] of Object.entries(fields(where, given, Object.keys(fieldsOfLimits)))) {
    if (!Number.isSafeInteger(value) || (value as number) < 1)
      throw expected(`${where}.${field}`, "an integer from 1", kindOf(value));
    limits[fieldsOfLimits[field]!] = value as number;
  }
  return limits;
}

/** A value as an object that has no unknown fields. */
function fields(where: string, value: unknown, known: string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw expected(where, "an object", kindOf(value));
  const at = Object.keys(value).findIndex((name) => !known.includes(name));
  if (at !== -1) throw expected(where, `no fields but ${known.join(", ")}`, unknownField(value, at, known));
  return value as Record<string, unknown>;
}

/** Quotes the name of an unknown field only if it is nearly a known one: any other name may be an API key. */
function unknownField(value: object, at: number, known: string[]): string {
  const name = Object.keys(value)[at]!;
  const meant = nearest(name, known, MOST_EDITS);
  return meant === null ? `another as number ${at + 1}` : `${name} (${meant}?)`;
}

/** Describes a value without quoting its text, which may be a key. */
function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null || typeof value === "boolean" || typeof value === "number") return String(value);
  if (typeof value === "string") return "a text";
  return Array.isArray(value) ? "a list" : "an object";
}
