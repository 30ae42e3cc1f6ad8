import type { CompiledForm, FromCompiler, GrammarSource, ToCompiler } from "../../workers/protocol.js";
import { invalidGrammar } from "../errors/errors.js";
import { Cancelled } from "../queue/refusal.js";
import { RoundRobin } from "../round-robin.js";
import { LimitedThread, type LimitedThreadOptions, TooMuch } from "../threads/limited-thread.js";
import { RecentForms, type RecentFormsOptions, type Verdict } from "./recent-forms.js";

/** The thread's answer to a form: compiled or refused. */
type Compiled = Exclude<FromCompiler, { type: "begun" }>;

const words = {
  slow: (seconds: number) =>
    `expected a simpler grammar, got one that takes longer than ${seconds} s to read`,
  large: "expected a smaller grammar, got one that takes too much memory to read",
  ended: "the thread that compiles forms has ended",
};

/** A form that waits to be compiled. */
interface Waiting {
  source: GrammarSource;
  /** The source as text, by which verdicts are remembered. */
  key: string;
  resolve: (form: CompiledForm) => void;
  reject: (error: unknown) => void;
}

/**
 * Checks and compiles forms in a thread of its own, one at a time. Callers take turns; each caller's forms are first come,
 * first served. Remembered forms are answered at once. The number of waiting forms needs no bound: each caller already
 * holds a queue place or a job.
 */
export class Forms {
  readonly #thread: LimitedThread<ToCompiler, Compiled>;
  readonly #recent: RecentForms;
  readonly #waiting = new RoundRobin<Waiting>();
  #lastId = 0;
  #busy = false;
  #closed = false;

  constructor(options: LimitedThreadOptions & { recent?: RecentFormsOptions }) {
    this.#thread = new LimitedThread(options, words);
    this.#recent = new RecentForms(options.recent);
  }

  /**
   * @param caller whose turn it takes
   * @param signal abandons the form; its reason is thrown
   * @throws PublicError `invalid_grammar` for a form that no text can have, or that takes too much time or memory
   * @throws Cancelled after `close`
   */
  check(source: GrammarSource, caller: string, signal?: AbortSignal): Promise<CompiledForm> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw new Cancelled();
      const key = JSON.stringify(source);
      const known = this.#recent.get(key);
      if (known !== undefined) return resolve(formOf(known));
      const waiting = { source, key, resolve, reject };
      this.#waiting.add(caller, waiting);
      const leave = () => {
        reject(signal?.reason);
        this.#waiting.delete(caller, waiting);
      };
      signal?.addEventListener("abort", leave, { once: true });
      void this.#work();
    });
  }

  /** Ends the thread; waiting callers get Cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.takeAll()) reject(new Cancelled());
    await this.#thread.close();
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let waiting = this.#waiting.next(); waiting; waiting = this.#waiting.next()) {
      try {
        waiting.resolve(formOf(await this.#verdict(waiting)));
      } catch (error) {
        waiting.reject(this.#closed ? new Cancelled() : error);
      }
    }
    this.#busy = false;
  }

  async #verdict({ source, key }: Waiting): Promise<Verdict> {
    // The same form may have been compiled while this one waited.
    const known = this.#recent.get(key);
    if (known !== undefined) return known;
    try {
      const compiled = await this.#thread.ask(source);
      const verdict: Verdict =
        compiled.type === "refused"
          ? { refusal: compiled.reason }
          : { form: { id: ++this.#lastId, numbers: compiled.numbers } };
      this.#recent.keep(key, verdict);
      return verdict;
    } catch (error) {
      if (!(error instanceof TooMuch)) throw error;
      return { refusal: error.message };
    }
  }
}

function formOf(verdict: Verdict): CompiledForm {
  if ("refusal" in verdict) throw invalidGrammar(verdict.refusal);
  return verdict.form;
}
