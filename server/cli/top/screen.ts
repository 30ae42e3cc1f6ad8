import type { WriteStream } from "node:tty";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

/**
 * A terminal's alternate screen. Whatever ends the process, the terminal is as before: the lines above come back, the
 * cursor too.
 */
export class Screen {
  readonly #output: WriteStream;
  readonly #leave = () => this.close();
  #isOpen = true;

  constructor(output: WriteStream) {
    this.#output = output;
    output.write(ENTER);
    process.on("exit", this.#leave);
  }

  get size(): { columns: number; rows: number } {
    // A serial line or a container may have a terminal that says 0.
    const { columns, rows } = this.#output;
    return { columns: columns || 80, rows: rows || 24 };
  }

  onResize(callback: () => void): void {
    this.#output.on("resize", callback);
  }

  /** Lines beyond the screen must not be drawn: they would scroll it. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    // Lines are overwritten in place, and the rest of each cleared: clearing the screen first would flicker.
    this.#output.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.off("exit", this.#leave);
    this.#output.write(LEAVE);
  }
}
