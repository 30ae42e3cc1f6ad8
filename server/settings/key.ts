import { createHash } from "node:crypto";

/** A key's limits; null means unlimited. */
export interface Limits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  tokensPerDay: number | null;
  concurrentRequests: number | null;
}

export const unlimited: Readonly<Limits> = Object.freeze({
  requestsPerMinute: null,
  tokensPerMinute: null,
  tokensPerDay: null,
  concurrentRequests: null,
});

/** A key as the server keeps it, without its text. */
export interface Key {
  name: string;
  /** SHA-256 of the text. */
  hash: Buffer;
  /** Priority of the key's requests in the queue, and the highest that they may ask for. */
  priority: number;
  limits: Readonly<Limits>;
}

export const isName = (text: string) => /^[\w.-]{1,64}$/.test(text);

/** Printable ASCII, so that a header can carry it. No commas: Node joins repeated headers by commas. */
export const isKey = (text: string) => /^[\x21-\x2b\x2d-\x7e]{1,512}$/.test(text);
export const keyForm = "1 to 512 printable ASCII characters without spaces and commas";

export function hashKey(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Index of the first key that has the name or the text of an earlier one, or -1. */
export function firstRepeated(keys: readonly Key[]): number {
  const names = new Set<string>();
  const hashes = new Set<string>();
  return keys.findIndex(({ name, hash }) => {
    const hex = hash.toString("hex");
    if (names.has(name) || hashes.has(hex)) return true;
    names.add(name);
    hashes.add(hex);
    return false;
  });
}
