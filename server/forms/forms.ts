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
 * Checks and compiles forms in a thread of its own, one at a time. Callers take turns; each caller's forms are first come,
 * first served. Remembered forms are answered at once. The number of waiting forms needs no bound: each caller already
 * holds a queue place or a job.
 */
export class Forms {
  readonly #thread: FormThread;
  readonly #recent: RecentForms;
  /** By caller, in the order of their turns; none is empty. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  #lastId = 0;
  #busy = false;
  #closed = false;

  constructor(options: FormThreadOptions & { recent?: RecentFormsOptions }) {
    this.#thread = new FormThread(options);
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
      const own = this.#waiting.get(caller) ?? new Set();
      this.#waiting.set(caller, own.add(waiting));
      const leave = () => {
        reject(signal?.reason);
        if (own.delete(waiting) && own.size === 0) this.#waiting.delete(caller);
      };
      signal?.addEventListener("abort", leave, { once: true });
      void this.#work();
    });
  }

  /** Ends the thread; waiting callers get Cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const own of this.#waiting.values()) for (const { reject } of own) reject(new Cancelled());
    this.#waiting.clear();
    await this.#thread.close();
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let waiting = this.#next(); waiting; waiting = this.#next()) {
      try {
        waiting.resolve(formOf(await this.#verdict(waiting)));
      } catch (error) {
        waiting.reject(this.#closed ? new Cancelled() : error);
      }
    }
    this.#busy = false;
  }

  /** Takes the next of the caller whose turn it is. The caller's turn after that comes when all others have had one. */
  #next(): Waiting | undefined {
    const [turn] = this.#waiting;
    if (turn === undefined) return undefined;
    const [caller, own] = turn;
    const [waiting] = own;
    own.delete(waiting!);
    this.#waiting.delete(caller);
    if (own.size > 0) this.#waiting.set(caller, own);
    return waiting;
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
