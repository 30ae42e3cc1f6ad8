import { visibleJson } from "./visible.js";

/** Writes a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a document for `--json`. */
export function sayJson(value: unknown): void {
  say(visibleJson(value, 2));
}

/** Ends the process quietly when the reader of its output, such as `head`, has had enough. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
}
