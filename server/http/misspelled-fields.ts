import type { RequestHandler } from "express";
import type { Log } from "../log.js";
import { nearest } from "../nearest.js";
import { bounded } from "./refusal-line.js";
import { requestId } from "./request-id.js";

/** Caps on the unknown fields that are checked, and on those that are logged: a body has room for 100,000. */
const MOST_CHECKED = 50;
const MOST_TOLD = 5;
/** Shorter names are no candidates: too many texts are one edit from them. */
const SHORTEST = 3;
const LONGEST_PATH = 100;

/**
 * Logs a warning for a body's fields that are one edit from a known one. They are not refused: the replaced FastAPI
 * server ignored unknown fields, and its clients may send some.
 */
export function warnOfMisspelledFields(fields: Iterable<string>, log: Log): RequestHandler {
  const known = new Set(fields);
  const candidates = [...known].filter(({ length }) => length >= SHORTEST);
  return (req, res, next) => {
    const misspelled = findMisspelled(req.body, known, candidates);
    if (misspelled.length > 0) {
      const id = requestId(res);
      const told = misspelled.map(([name, meant]) => {
        return `no field${log.hidesPrompts ? "" : ` ${bounded(name, 40)}`}; did you mean ${meant}?`;
      });
      log.warn(`${id} - ${req.method} ${bounded(req.path, LONGEST_PATH)}: ${told.join(" ")}`, { id });
    }
    next();
  };
}

/** Finds fields that are one edit from a known field; returns both names. */
function findMisspelled(body: unknown, known: ReadonlySet<string>, candidates: readonly string[]) {
  const misspelled: [name: string, meant: string][] = [];
  if (typeof body !== "object" || body === null || Array.isArray(body)) return misspelled;
  let checked = 0;
  for (const name in body) {
    if (known.has(name)) continue;
    if (++checked > MOST_CHECKED || misspelled.length === MOST_TOLD) break;
    const meant = nearest(name, candidates, 1);
    if (meant !== null) misspelled.push([name, meant]);
  }
  return misspelled;
}
