import { Worker } from "node:worker_threads";
import type { CompilerSetup, FromCompiler, GrammarSource, ToCompiler } from "../../workers/protocol.js";
import { type Clock, realClock } from "../queue/clock.js";

export interface FormThreadOptions {
  /** Absolute path of the thread's entry. */
  filename: string;
  modelDir: string;
  /** Time limit for one form. Default 10. */
  seconds?: number;
  /** Memory limit of the thread, the model's tokenizer included, in MiB. Default 512. */
  megabytes?: number;
  clock?: Pick<Clock, "after">;
}

/** Stack of the thread, in MiB: about the main thread's. Forms nested too deeply for it are refused. */
const STACK_MEGABYTES = 1;

/** The thread's answer to a form: compiled or refused. */
export type Compiled = Exclude<FromCompiler, { type: "begun" }>;

/** The form exceeded the limit of time or memory. Never cache this refusal: the machine may have been busy. */
export class TooMuch extends Error {
  override name = "TooMuch";
}

/** The caller that waits for the form being compiled. */
interface Pending {
  resolve: (compiled: Compiled) => void;
  reject: (error: Error) => void;
  /** Stops the time limit's timer, which starts once the model is loaded; null before. */
  stopTimer: (() => void) | null;
}

/**
 * A thread that compiles forms within limits of time and memory. The first form starts it. When it has ended, the next
 * form starts a new one.
 */
export class FormThread {
  readonly #options: Required<FormThreadOptions>;
  #worker: Worker | null = null;
  #pending: Pending | null = null;

  constructor({ seconds = 10, megabytes = 512, clock = realClock, ...others }: FormThreadOptions) {
    this.#options = { seconds, megabytes, clock, ...others };
  }

  /**
   * Call it for one form at a time.
   * @throws TooMuch
   * @throws an error if the thread can't load the model, or fails otherwise
   */
  async compile(source: GrammarSource): Promise<Compiled> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    // The thread keeps the process alive only while it compiles.
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

  /** Ends the thread, and aborts the form that it compiles. */
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
    // No timer yet: the model is still loading, so the form can't have used up the memory.
    const isForms = this.#pending?.stopTimer != null && error.code === "ERR_WORKER_OUT_OF_MEMORY";
    const large = "expected a smaller grammar, got one that takes too much memory to read";
    this.#pending?.reject(isForms ? new TooMuch(large) : error);
  }
}
