import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/*
 * Reads rows out of a database file page by page, without SQLite, so that one wrong byte of a header or of an inner page
 * can't hide all that is behind it. The format: https://www.sqlite.org/fileformat2.html
 */

/** The database is made with this page size. */
export const PAGE_BYTES = 4096;
const TABLE_LEAF = 0x0d;
const INDEX_LEAF = 0x0a;
/** A payload longer than this goes on in overflow pages, and at least `LEAST` of it stays in the leaf. */
const MOST: Readonly<Record<number, number>> = {
  [TABLE_LEAF]: PAGE_BYTES - 35,
  [INDEX_LEAF]: Math.floor(((PAGE_BYTES - 12) * 64) / 255) - 23,
};
/** No text is larger; a larger number is a damaged one. */
const MOST_BYTES = 2 ** 30;
const LEAST = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;

/** The columns of one cell that are blobs; of an index leaf only the first. */
export interface RawRow {
  kind: "table" | "index";
  blobs: Buffer[];
}

/** Every cell that can be read. None of it can be trusted before its stamp was checked. */
export function* rawRows(path: string): Generator<RawRow> {
  const file = openSync(path, "r");
  try {
    const count = Math.floor(fstatSync(file).size / PAGE_BYTES);
    const pageAt = (number: number): Buffer | null => {
      if (number < 1 || number > count) return null;
      const page = Buffer.alloc(PAGE_BYTES);
      return readSync(file, page, 0, PAGE_BYTES, (number - 1) * PAGE_BYTES) === PAGE_BYTES ? page : null;
    };
    // The first page has the schema.
    for (let number = 2; number <= count; number++) {
      const page = pageAt(number);
      if (page !== null) yield* rowsOf(page, pageAt);
    }
  } finally {
    closeSync(file);
  }
}

type PageAt = (number: number) => Buffer | null;

function* rowsOf(page: Buffer, pageAt: PageAt): Generator<RawRow> {
  const type = page[0]!;
  if (type !== TABLE_LEAF && type !== INDEX_LEAF) return;
  const cells = Math.min(page.readUInt16BE(3), Math.floor((PAGE_BYTES - 8) / 2));
  for (let index = 0; index < cells; index++) {
    try {
      const payload = payloadAt(page, page.readUInt16BE(8 + 2 * index), type, pageAt);
      if (payload !== null) yield { kind: type === TABLE_LEAF ? "table" : "index", blobs: blobsOf(payload) };
    } catch {
      // Numbers that point outside of the page: this cell is damaged.
    }
  }
}

/** A cell's payload, with what overflowed. */
function payloadAt(page: Buffer, start: number, type: number, pageAt: PageAt): Buffer | null {
  const [bytes, afterBytes] = varint(page, start);
  const from = type === TABLE_LEAF ? varint(page, afterBytes)[1] : afterBytes;
  const most = MOST[type]!;
  if (bytes > MOST_BYTES) return null;
  if (bytes <= most) return from + bytes <= PAGE_BYTES ? page.subarray(from, from + bytes) : null;
  const fitting = LEAST + ((bytes - LEAST) % (PAGE_BYTES - 4));
  const local = fitting <= most ? fitting : LEAST;
  if (from + local + 4 > PAGE_BYTES) return null;
  const parts = [page.subarray(from, from + local)];
  let next = page.readUInt32BE(from + local);
  for (let left = bytes - local; left > 0; left -= PAGE_BYTES - 4) {
    const overflow = pageAt(next);
    if (overflow === null) return null;
    next = overflow.readUInt32BE(0);
    parts.push(overflow.subarray(4, 4 + Math.min(left, PAGE_BYTES - 4)));
  }
  return Buffer.concat(parts);
}

/** The blobs (and texts, which one wrong bit makes of them) of a record. */
function blobsOf(payload: Buffer): Buffer[] {
  const [headerBytes, first] = varint(payload, 0);
  const blobs: Buffer[] = [];
  let body = headerBytes;
  for (let at = first; at < headerBytes; ) {
    const [type, next] = varint(payload, at);
    at = next;
    const bytes = type >= 12 ? Math.floor((type - 12) / 2) : (INTEGER_BYTES[type] ?? 0);
    if (type >= 12) blobs.push(payload.subarray(body, body + bytes));
    body += bytes;
  }
  return blobs;
}

/** Bytes of the serial types below 12. */
const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

/** SQLite's variable-length integer, and where it ends. Nine-byte ones occur in damaged cells only. */
export function varint(bytes: Buffer, start: number): [value: number, end: number] {
  let value = 0;
  for (let at = start; at < start + 8; at++) {
    const byte = bytes.readUInt8(at);
    value = value * 128 + (byte & 127);
    if (byte < 128) return [value, at + 1];
  }
  throw new RangeError("expected a varint of at most 8 bytes");
}
