import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** How many files that were moved aside are kept. Each can be as large as the store. */
const MOST_KEPT = 2;

/** Why a file was moved aside: it was damaged, or it was put in the store's place. */
type Reason = "damaged" | "replaced";

/** A file that was moved aside. */
export interface Aside {
  path: string;
  bytes: number;
}

/** Gives a file a new name in its folder. @returns the new path */
export function moveAside(path: string, reason: Reason): string {
  let number = Date.now();
  // The clock may have been set back: never overwrite an older one.
  while (existsSync(`${path}.${reason}-${number}`)) number++;
  const aside = `${path}.${reason}-${number}`;
  renameSync(path, aside);
  return aside;
}

/** The files that were moved aside from a path, the newest first. */
export function asideOf(path: string): Aside[] {
  const prefix = `${basename(path)}.`;
  const found: (Aside & { number: number })[] = [];
  for (const name of readdirSync(dirname(path))) {
    const number = name.startsWith(prefix) && /^(?:damaged|replaced)-(\d+)$/.exec(name.slice(prefix.length));
    if (!number) continue;
    const aside = join(dirname(path), name);
    found.push({ path: aside, bytes: statSync(aside).size, number: Number(number[1]) });
  }
  return found.sort((one, other) => other.number - one.number).map(({ path, bytes }) => ({ path, bytes }));
}

/**
 * Removes all but the newest of the files that were moved aside. Call it only once the new file holds all that could be
 * read in them.
 * @param newest the one that was moved last; its number may not be the largest, if the clock was set back
 * @returns the removed ones
 */
export function removeOldAside(path: string, newest: string): Aside[] {
  const others = asideOf(path).filter((aside) => aside.path !== newest);
  const removed = others.slice(MOST_KEPT - 1);
  for (const { path } of removed) rmSync(path, { force: true });
  return removed;
}
