import type { Step } from "./step.js";

/** Tells on standard error what is being measured and how long the rest will take. */
export class Progress {
  readonly #started = performance.now();
  readonly #terminal = process.stderr.isTTY;
  /** Of the steps, by their own estimates. */
  readonly #total: number;
  #done = 0;
  #label = "";

  constructor(steps: readonly Step[]) {
    this.#total = steps.reduce((sum, { seconds }) => sum + seconds, 0);
  }

  start({ label }: Step): void {
    this.#label = label;
    const line = `${percent(this.#done, this.#total)}, ${this.#remaining()} left: ${label}`;
    process.stderr.write(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`);
  }

  end({ seconds }: Step): void {
    this.#done += seconds;
  }

  /** Writes lines for good, above what is going on. */
  print(text: string): void {
    if (this.#terminal) process.stderr.write("\r\x1b[K");
    process.stdout.write(`${text}\n`);
    if (this.#terminal) process.stderr.write(this.#label);
  }

  finish(): void {
    if (this.#terminal) process.stderr.write("\r\x1b[K");
  }

  #remaining(): string {
    const elapsed = (performance.now() - this.#started) / 1000;
    // The first steps tell too little of how fast this machine is.
    const pace = this.#done < 20 ? 1 : elapsed / this.#done;
    return duration((this.#total - this.#done) * pace);
  }
}

export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return `${Math.round(seconds / 60)} min`;
}

const percent = (part: number, whole: number) => `${Math.floor((100 * part) / whole)} %`;
