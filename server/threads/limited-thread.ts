import { Worker } from "node:worker_threads";
import { type Clock, realClock } from "../queue/clock.js";

export interface LimitedThreadOptions {
  /** Absolute path of the thread's entry. */
  filename: string;
  modelDir: string;
  /** Time limit for one message. Default 10. */
  seconds?: number;
  /** Memory limit of the thread, the model's tokenizer included, in MiB. Default 512. */
  megabytes?: number;
  clock?: Pick<Clock, "after">;
}

/** What an error says. */
export interface ThreadWords {
  /** A message took longer than its time. */
  slow: (seconds: number) => string;
  /** A message took more memory than the thread may use. */
  large: string;
  /** The thread ended for another reason. */
  ended: string;
}

/** Stack of the thread, in MiB: about the main thread's. What is nested too deeply for it is refused. */
const STACK_MEGABYTES = 1;

/** A message exceeded the limit of time or memory. Never cache this: the machine may have been busy. */
export class TooMuch extends Error {
  override name = "TooMuch";
}

/** The sender of the message that the thread works on. */
interface Pending<Answer> {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
  /** Stops the time limit's timer, which starts once the model is loaded; null before. */
  stopTimer: (() => void) | null;
}

/**
 * A thread that answers one message at a time within limits of time and memory. The first message starts it. When it
 * has ended, the next message starts a new one. It sends `begun` once the model is loaded and a message's own time begins.
 */
export class LimitedThread<Message, Answer extends { type: string }> {
  readonly #options: Required<LimitedThreadOptions>;
  readonly #words: ThreadWords;
  #worker: Worker | null = null;
  #pending: Pending<Answer> | null = null;

  constructor(
    { seconds = 10, megabytes = 512, clock = realClock, ...others }: LimitedThreadOptions,
    words: ThreadWords,
  ) {
    this.#options = { seconds, megabytes, clock, ...others };
    this.#words = words;
  }

  /**
   * Call it for one message at a time.
   * @throws TooMuch
   * @throws an error if the thread can't load the model, or fails otherwise
   */
  async ask(message: Message): Promise<Answer> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    // The thread keeps the process alive only while it works.
    worker.ref();
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#pending = { resolve, reject, stopTimer: null };
        worker.postMessage(message);
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

  /** Ends the thread, and aborts what it works on. */
  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const { filename, modelDir, megabytes } = this.#options;
    const worker = new Worker(filename, {
      workerData: { modelDir },
      // The process's own may be about its entry, such as --input-type, and refused for a file.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: megabytes, stackSizeMb: STACK_MEGABYTES },
    });
    worker.on("message", (message: Answer | { type: "begun" }) => {
      if (message.type === "begun") this.#begin();
      else this.#pending?.resolve(message as Answer);
    });
    worker.on("error", (error: NodeJS.ErrnoException) => this.#fail(error));
    worker.on("exit", () => {
      this.#worker = null;
      this.#fail(new Error(this.#words.ended));
    });
    return worker;
  }

  #begin(): void {
    const { seconds, clock } = this.#options;
    if (this.#pending === null) return;
    const { reject } = this.#pending;
    const late = this.#words.slow(seconds);
    this.#pending.stopTimer = clock.after(1000 * seconds, () => reject(new TooMuch(late)));
  }

  #fail(error: NodeJS.ErrnoException): void {
    // No timer yet: the model is still loading, so the message can't have used up the memory.
    const isMessages = this.#pending?.stopTimer != null && error.code === "ERR_WORKER_OUT_OF_MEMORY";
    this.#pending?.reject(isMessages ? new TooMuch(this.#words.large) : error);
  }
}
