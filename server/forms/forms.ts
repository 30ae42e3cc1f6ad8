import type { CompiledForm, GrammarSource } from "../../workers/protocol.js";
import { invalidGrammar } from "../errors/errors.js";
import { Cancelled } from "../queue/refusal.js";
import { FormThread, type FormThreadOptions, TooMuch } from "./form-thread.js";
import { RecentForms, type RecentFormsOptions, type Verdict } from "./recent-forms.js";

/** A form that waits to be compiled. */
interface Waiting {
  source: GrammarSource;
  /** The source as text, by which verdicts are remembered. */
  key: string;
  resolve: (form: CompiledForm) => void;
  reject: (error: unknown) => void;
}

/**
 * Checks and compiles forms in a thread of its own, one at a time, first come, first served. Remembered forms are
 * answered at once. The number of waiting forms needs no bound: each caller already holds a queue place or a job.
 */
export class Forms {
  readonly #thread: FormThread;
  readonly #recent: RecentForms;
  readonly #waiting = new Set<Waiting>();
  #lastId = 0;
  #busy = false;
  #closed = false;

  constructor(options: FormThreadOptions & { recent?: RecentFormsOptions }) {
    this.#thread = new FormThread(options);
    this.#recent = new RecentForms(options.recent);
  }

  /**
   * @param signal abandons the form; its reason is thrown
   * @throws PublicError `invalid_grammar` for a form that no text can have, or that takes too much time or memory
   * @throws Cancelled after `close`
   */
  check(source: GrammarSource, signal?: AbortSignal): Promise<CompiledForm> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw new Cancelled();
      const key = JSON.stringify(source);
      const known = this.#recent.get(key);
      if (known !== undefined) return resolve(formOf(known));
      const waiting = { source, key, resolve, reject };
      const leave = () => {
        this.#waiting.delete(waiting);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.add(waiting);
      void this.#work();
    });
  }

  /** Ends the thread; waiting callers get Cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting) reject(new Cancelled());
    this.#waiting.clear();
    await this.#thread.close();
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
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
      const compiled = await this.#thread.compile(source);
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
