import { Worker } from "node:worker_threads";
import type { CompilerSetup, FromCompiler, GrammarSource, ToCompiler } from "../../workers/protocol.js";
import { type Clock, realClock } from "../queue/clock.js";

export interface FormThreadOptions {
  /** Absolute path of the thread's entry. */
  filename: string;
  modelDir: string;
  /** The longest that one form may take. */
  seconds?: number;
  /** The most memory that the thread may take, the model's tokenizer included, in MiB. */
  megabytes?: number;
  clock?: Pick<Clock, "after">;
}

/** Stack of the thread, in MiB: about the main thread's. Forms are refused that nest too deeply for it. */
const STACK_MEGABYTES = 1;

/** Result of a form that was read. */
export type Compiled = Exclude<FromCompiler, { type: "begun" }>;

/** The form took more time or memory than one may. Another try may go well, so nobody should remember this. */
export class TooMuch extends Error {
  override name = "TooMuch";
}

/** Who waits for the form that is compiled. */
interface Pending {
  resolve: (compiled: Compiled) => void;
  reject: (error: Error) => void;
  /** Stops the timer, which runs from when the model is loaded; null before. */
  stopTimer: (() => void) | null;
}

/**
 * A thread that compiles forms, within bounds of time and memory. It starts with the first form, and anew with the next
 * one after it has ended.
 */
export class FormThread {
  readonly #options: Required<FormThreadOptions>;
  #worker: Worker | null = null;
  #pending: Pending | null = null;

  constructor({ seconds = 10, megabytes = 512, clock = realClock, ...others }: FormThreadOptions) {
    this.#options = { seconds, megabytes, clock, ...others };
  }

  /**
   * To be called for one form at a time.
   * @throws TooMuch
   * @throws an error if the thread can't load the model, or fails otherwise
   */
  async compile(source: GrammarSource): Promise<Compiled> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    // The thread keeps the process alive only while somebody waits for it.
    worker.ref();
    try {
      return await new Promise<Compiled>((resolve, reject) => {
        this.#pending = { resolve, reject, stopTimer: null };
        worker.postMessage(source satisfies ToCompiler);
      });
    } catch (error) {
      await worker.terminate();
      throw error;
    } finally {
      this.#pending?.stopTimer?.();
      this.#pending = null;
      worker.unref();
    }
  }

  /** Ends the thread, and with it the form that it compiles. */
  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const { filename, modelDir, megabytes } = this.#options;
    const worker = new Worker(filename, {
      workerData: { modelDir } satisfies CompilerSetup,
      // The process's own may be about its entry, such as --input-type, and refused for a file.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: megabytes, stackSizeMb: STACK_MEGABYTES },
    });
    worker.on("message", (message: FromCompiler) => {
      if (message.type === "begun") this.#begin();
      else this.#pending?.resolve(message);
    });
    worker.on("error", (error: NodeJS.ErrnoException) => this.#fail(error));
    worker.on("exit", () => {
      this.#worker = null;
      this.#fail(new Error("the thread that compiles forms has ended"));
    });
    return worker;
  }

  #begin(): void {
    const { seconds, clock } = this.#options;
    if (this.#pending === null) return;
    const { reject } = this.#pending;
    const late = `expected a simpler grammar, got one that takes longer than ${seconds} s to read`;
    this.#pending.stopTimer = clock.after(1000 * seconds, () => reject(new TooMuch(late)));
  }

  #fail(error: NodeJS.ErrnoException): void {
    // Before its timer runs the model is loaded, and the form is not to blame.
    const isForms = this.#pending?.stopTimer != null && error.code === "ERR_WORKER_OUT_OF_MEMORY";
    const large = "expected a smaller grammar, got one that takes too much memory to read";
    this.#pending?.reject(isForms ? new TooMuch(large) : error);
  }
}
