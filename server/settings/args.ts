import { type ParseArgsConfig, parseArgs } from "node:util";
import { nearest } from "../nearest.js";

/** The command line has an unknown flag, or one without its value. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Node's `parseArgs`. @throws UsageError with one line, which suggests the nearest flag for an unknown one */
export function readArgs<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    // Node appends advice after the first sentence.
    const [message] = (error as Error).message.split(/\n|\. /, 1) as [string];
    const [, unknown] = /^Unknown option '--([^']*)'$/.exec(message) ?? [];
    const meant = unknown === undefined ? null : nearest(unknown, Object.keys(config.options ?? {}), 2);
    throw new UsageError(meant === null ? message : `${message} (did you mean --${meant}?)`);
  }
}

/** `--heads: expected a positive integer, got "x"` */
export function unexpected(flag: string, expected: string, got: string): UsageError {
  return new UsageError(`--${flag}: expected ${expected}, got ${JSON.stringify(got)}`);
}

/** @throws UsageError for anything but an integer from 1 to 999,999,999 */
export function positiveInteger(flag: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw unexpected(flag, "a positive integer", text);
  return Number(text);
}
