import { createHash } from "node:crypto";

/** A text as the database keeps it: two of these are kept of each, and read only if their stamps are right. */
export interface Row {
  key: string;
  /** Grows with each write of the store. Of two genuine rows of a key, the one with the higher version is the newer. */
  version: number;
  text: string;
}

/** Bytes of a stamp: the version, and 8 bytes of a SHA-256 of version, key and text. */
export const STAMP_BYTES = 16;

export function stampOf(key: Uint8Array, version: number, text: Uint8Array): Buffer {
  const stamp = Buffer.alloc(STAMP_BYTES);
  stamp.writeBigUInt64BE(BigInt(version));
  // The key's length is hashed too, so that no byte can move from the key to the text.
  const head = Buffer.alloc(12);
  stamp.copy(head, 0, 0, 8);
  head.writeUInt32BE(key.length, 8);
  createHash("sha256").update(head).update(key).update(text).digest().copy(stamp, 8, 0, 8);
  return stamp;
}

/** The row, or null if any of its bytes has changed since it was written. */
export function readRow(key: unknown, stamp: unknown, text: unknown): Row | null {
  if (!(key instanceof Uint8Array && stamp instanceof Uint8Array && text instanceof Uint8Array)) return null;
  if (stamp.length !== STAMP_BYTES) return null;
  const version = Number(Buffer.from(stamp).readBigUInt64BE());
  if (!Number.isSafeInteger(version) || !stampOf(key, version, text).equals(stamp)) return null;
  return { key: Buffer.from(key).toString(), version, text: Buffer.from(text).toString() };
}
