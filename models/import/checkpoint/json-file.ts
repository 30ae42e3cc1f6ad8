import { readFile, stat } from "node:fs/promises";
import { ImportError } from "./error.js";
import { assertShallow } from "./shallow-json.js";

/** More than any configuration has. */
const MAX_NESTING = 64;

export type JsonObject = Record<string, unknown>;

/**
 * A small file of somebody else's.
 * @throws ImportError if it isn't there, isn't a file, or is larger than `most` bytes
 */
export async function readSmallFile(file: string, most: number): Promise<Buffer> {
  try {
    const found = await stat(file);
    if (!found.isFile()) throw new ImportError(file, "expected a regular file");
    if (found.size > most)
      throw new ImportError(file, `expected a file of at most ${most} bytes, got ${found.size}`);
    return await readFile(file);
  } catch (error) {
    if (error instanceof ImportError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ImportError(file, code === "ENOENT" ? "no such file" : `can't be read (${code ?? message})`);
  }
}

/** @throws ImportError for anything but one JSON object */
export async function readJsonObject(file: string, most: number): Promise<JsonObject> {
  const bytes = await readSmallFile(file, most);
  let value: unknown;
  try {
    assertShallow(bytes, MAX_NESTING);
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : "it isn't UTF-8";
    throw new ImportError(file, `expected JSON, got something else (${reason})`);
  }
  if (isJsonObject(value)) return value;
  throw new ImportError(
    file,
    `expected a JSON object, got ${Array.isArray(value) ? "a list" : typeof value}`,
  );
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
