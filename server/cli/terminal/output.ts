import { visibleJson } from "../../visible-json.js";

/** Writes a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a document for `--json`. */
export function sayJson(value: unknown): void {
  say(visibleJson(value, 2));
}

/**
 * Ends the process quietly when the reader of its output, such as `head`, has had enough, and with status 1 and one line
 * when the output can't be written, such as on a full disk.
 */
export function endWithReader(): void {
  process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code === "EPIPE") process.exit(0);
    process.stderr.write(`the output can't be written: ${code}\n`);
    process.exit(1);
  });
}
