import type { ImportPhase } from "../../library/import.js";
import { bytes as sizeOf } from "../terminal/units.js";

type OnProgress = (phase: ImportPhase, share: number, bytes?: { done: number; total: number }) => void;

const BAR_WIDTH = 30;
const PHASE_WIDTH = "downloading".length;
const DETAIL_WIDTH = " of 1023.9 MiB, 1023.9 MiB/s".length;
const DRAW_MS = 100;
/** Where nobody draws over a line: only downloads take long enough to tell of. */
const LINE_MS = 5000;

/** Tells how an import goes on: a bar for each phase at a terminal, elsewhere a line now and then of a download. */
export function progressTo(
  stream: NodeJS.WriteStream,
  now: () => number = () => performance.now(),
): OnProgress {
  return stream.isTTY ? bars(stream, now) : lines(stream, now);
}

/** Redraws the phase's bar; a finished phase keeps its line. */
function bars(stream: NodeJS.WriteStream, now: () => number): OnProgress {
  let last = Number.NEGATIVE_INFINITY;
  const rate = new Rate(now);
  return (phase, share, bytes) => {
    const at = now();
    const detail = bytes ? rate.describe(bytes) : "";
    if (share < 1 && at - last < DRAW_MS) return;
    last = share < 1 ? at : Number.NEGATIVE_INFINITY;
    const filled = Math.round(share * BAR_WIDTH);
    const bar = "#".repeat(filled) + "-".repeat(BAR_WIDTH - filled);
    const end = share === 1 ? "\n" : "";
    stream.write(
      `\r${phase.padEnd(PHASE_WIDTH)} [${bar}] ${Math.round(share * 100)} %${detail.padEnd(DETAIL_WIDTH)}${end}`,
    );
  };
}

function lines(stream: NodeJS.WriteStream, now: () => number): OnProgress {
  let last = Number.NEGATIVE_INFINITY;
  const rate = new Rate(now);
  return (phase, share, bytes) => {
    if (bytes === undefined) return;
    const detail = rate.describe(bytes);
    const at = now();
    if (share < 1 && at - last < LINE_MS) return;
    last = at;
    stream.write(`${phase}: ${Math.floor(share * 100)} %${detail}\n`);
  };
}

/** How fast a download is, since it was first told of: what was there before doesn't count. */
class Rate {
  readonly #now: () => number;
  #start: { at: number; done: number } | null = null;

  constructor(now: () => number) {
    this.#now = now;
  }

  describe({ done, total }: { done: number; total: number }): string {
    const at = this.#now();
    if (this.#start === null || done < this.#start.done) this.#start = { at, done };
    const seconds = (at - this.#start.at) / 1000;
    const speed = seconds >= 1 ? `, ${sizeOf(Math.round((done - this.#start.done) / seconds))}/s` : "";
    return ` of ${sizeOf(total)}${speed}`;
  }
}
