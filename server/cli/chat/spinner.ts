import { duration } from "../terminal/units.js";
import type { Standing } from "./answer.js";

const FRAMES = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"];
const FRAME_MS = 100;

/** A line that moves while an answer has not begun, with the place in the queue. It clears itself. */
export class Spinner {
  readonly #write: (text: string) => void;
  #text = "";
  #frame = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  show(standing: Standing | null): void {
    this.#text = describe(standing);
    this.#timer ??= setInterval(() => this.#draw(), FRAME_MS).unref();
    this.#draw();
  }

  clear(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#write("\r\x1b[K");
  }

  #draw(): void {
    this.#write(`\r\x1b[K${FRAMES[this.#frame++ % FRAMES.length]} ${this.#text}`);
  }
}

/** `waiting: position 3 in the queue, starts in about 4 s` */
export function describe(standing: Standing | null): string {
  if (standing === null) return "waiting for the answer";
  const { position, expected_wait: wait } = standing;
  const when = typeof wait === "number" ? `, starts in about ${duration(wait)}` : "";
  return `waiting: position ${position} in the queue${when}`;
}
