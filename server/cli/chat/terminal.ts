import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import type { WriteStream } from "node:tty";
import { isCapable, type Styles, stylesOf } from "../terminal/styles.js";
import { visible } from "../terminal/visible.js";
import type { Standing } from "./answer.js";
import { completeSlash } from "./commands.js";
import { Spinner } from "./spinner.js";
import type { View } from "./view.js";

/** A chat's lines at a terminal. While an answer runs, what is typed is not shown, and is there at the next prompt. */
export class Terminal implements View {
  readonly #output: WriteStream;
  readonly #styles: Styles;
  readonly #echo: Echo;
  readonly #lines: Interface;
  readonly #spinner: Spinner;
  readonly #isCapable = isCapable();
  #typedAhead: string[] = [];
  #onLine: ((line: string | null) => void) | null = null;
  #ended = false;

  /** @param onInterrupt called at Ctrl-C @param onEnd called once at Ctrl-D */
  constructor(output: WriteStream, { onInterrupt, onEnd }: { onInterrupt: () => void; onEnd: () => void }) {
    this.#output = output;
    this.#styles = stylesOf(output);
    this.#echo = new Echo(output);
    this.#lines = createInterface({
      input: process.stdin,
      output: this.#echo,
      terminal: true,
      completer: (line: string) => [completeSlash(line), line],
    });
    this.#spinner = new Spinner((text) => output.write(this.#styles.dim(text)));
    // readline reads Ctrl-C as a key; another program may send the signal.
    this.#lines.on("SIGINT", onInterrupt);
    process.on("SIGINT", onInterrupt);
    this.#lines.on("line", (line) => {
      if (this.#onLine === null) this.#typedAhead.push(line);
      else this.#answer(line);
    });
    this.#lines.on("close", () => {
      this.#ended = true;
      onEnd();
      this.#answer(null);
    });
  }

  /** The next line that the user enters; null once they have ended the input. */
  async question(): Promise<string | null> {
    const typed = this.#typedAhead.shift();
    if (typed !== undefined) {
      this.#output.write(`${this.#lines.getPrompt()}${visible(typed)}\n`);
      return typed;
    }
    if (this.#ended) return null;
    this.#echo.isOn = true;
    this.#lines.prompt(true);
    return new Promise<string | null>((resolve) => {
      this.#onLine = resolve;
    });
  }

  /** Ends the prompt at once: readline tells all lines of a pasted text in one turn, and those that follow are typed ahead. */
  #answer(line: string | null): void {
    this.#echo.isOn = false;
    this.#onLine?.(line);
    this.#onLine = null;
  }

  close(): void {
    this.#lines.close();
  }

  text(piece: string): void {
    this.#output.write(visible(piece));
  }

  endText(): void {
    this.#output.write("\n");
  }

  wait(standing: Standing | null): void {
    if (this.#isCapable) this.#spinner.show(standing);
  }

  endWait(): void {
    this.#spinner.clear();
  }

  note(line: string): void {
    this.#output.write(`${this.#styles.dim(visible(line))}\n`);
  }

  error(line: string): void {
    this.#output.write(`${this.#styles.red(visible(line))}\n`);
  }
}

/** The terminal for readline, which can be silenced. */
class Echo extends Writable {
  readonly isTTY = true;
  isOn = true;
  readonly #output: WriteStream;

  constructor(output: WriteStream) {
    super({ decodeStrings: false });
    this.#output = output;
    output.on("resize", () => this.emit("resize"));
  }

  /** readline wraps long lines by it. */
  get columns(): number {
    return this.#output.columns;
  }

  override _write(text: string, _encoding: string, done: () => void): void {
    if (this.isOn) this.#output.write(text);
    done();
  }
}
