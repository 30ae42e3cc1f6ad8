import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { PAGE_BYTES, varint } from "./raw-rows.js";

const TABLE_INNER = 0x05;
const INDEX_INNER = 0x02;
/** No tree of 2^32 pages is deeper. */
const DEEPEST = 20;

/** The fields of a header that never change: magic, page size, write and read versions (no log), reserved bytes. */
const HEADER = Buffer.from("SQLite format 3\0\x10\0\x01\x01\0", "latin1");

/**
 * Why a file's header can't be right, or null. SQLite opens a file with a wrong version for reading only, and takes pages
 * beyond a number that is too small for free ones. Call it while no transaction is open.
 */
export function headerDamage(path: string): string | null {
  const file = openSync(path, "r");
  try {
    const header = Buffer.alloc(100);
    if (readSync(file, header, 0, header.length, 0) < header.length) return null;
    if (!header.subarray(0, HEADER.length).equals(HEADER)) return "the header is not that of a store";
    const [told, count] = [header.readUInt32BE(28), fstatSync(file).size / PAGE_BYTES];
    return told === count ? null : `expected ${told} pages, got ${count}`;
  } finally {
    closeSync(file);
  }
}

/**
 * Why the inner pages of a database's B-trees can't be right, or null. They are few, and SQLite trusts them: through a wrong
 * pointer it would write into a page of another tree. Leaves are not read.
 * @param roots the first page of each tree
 */
export function treeDamage(path: string, roots: readonly number[]): string | null {
  const file = openSync(path, "r");
  try {
    const count = Math.floor(fstatSync(file).size / PAGE_BYTES);
    const seen = new Set<number>();
    const pageAt = (number: number): Buffer => {
      if (number < 2 || number > count) throw new RangeError(`page ${number} is outside of the file`);
      const page = Buffer.alloc(PAGE_BYTES);
      readSync(file, page, 0, PAGE_BYTES, (number - 1) * PAGE_BYTES);
      return page;
    };
    for (const root of roots) walk(root, depthOf(root, pageAt), pageAt, seen, count);
    return null;
  } catch (error) {
    if (error instanceof RangeError) return `an inner page is damaged (${error.message})`;
    throw error;
  } finally {
    closeSync(file);
  }
}

type PageAt = (number: number) => Buffer;

/** How many levels of inner pages a tree has. It is the same on every path to a leaf. */
function depthOf(root: number, pageAt: PageAt): number {
  let depth = 0;
  for (let page = pageAt(root); isInner(page); page = pageAt(childrenOf(page)[0]!))
    if (++depth > DEEPEST) throw new RangeError(`page ${root} leads to itself`);
  return depth;
}

function walk(number: number, depth: number, pageAt: PageAt, seen: Set<number>, count: number): void {
  if (seen.has(number)) throw new RangeError(`page ${number} is used twice`);
  if (number < 2 || number > count) throw new RangeError(`page ${number} is outside of the file`);
  seen.add(number);
  if (depth === 0) return;
  const page = pageAt(number);
  if (!isInner(page)) throw new RangeError(`page ${number} is no inner page`);
  for (const child of childrenOf(page)) walk(child, depth - 1, pageAt, seen, count);
}

const isInner = (page: Buffer) => page[0] === TABLE_INNER || page[0] === INDEX_INNER;

/** @throws RangeError if the page's own order is wrong */
function childrenOf(page: Buffer): number[] {
  const cells = page.readUInt16BE(3);
  if (cells > PAGE_BYTES / 4) throw new RangeError(`${cells} entries in a page`);
  const children: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < cells; index++) {
    const at = page.readUInt16BE(12 + 2 * index);
    children.push(page.readUInt32BE(at));
    if (page[0] !== TABLE_INNER) continue;
    const [id] = varint(page, at + 4);
    if (id <= last) throw new RangeError(`id ${id} comes after ${last}`);
    last = id;
  }
  return [...children, page.readUInt32BE(8)];
}
