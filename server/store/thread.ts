import { Worker } from "node:worker_threads";
import type { Reply, Request, Tasks, ThreadOptions } from "./store-thread.js";

interface Pending {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

/** The database's thread, as the main thread sees it. It keeps the process alive only while it has something to do. */
export class Thread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #ended: Error | null = null;

  constructor(options: ThreadOptions) {
    this.#worker = new Worker(new URL("./store-thread.js", import.meta.url), {
      workerData: options,
      // Flags of this process such as --input-type are not for a file.
      execArgv: [],
    });
    this.#worker.unref();
    this.#worker.on("message", ({ id, value, failure }: Reply) => {
      const { resolve, reject } = this.#pending.get(id)!;
      this.#forget(id);
      if (failure === undefined) resolve(value as never);
      else reject(new Error(failure));
    });
    this.#worker.on("error", (error) => this.#end(error as Error));
    this.#worker.on("exit", () => this.#end(new Error("the thread of the store has ended")));
  }

  get hasEnded(): boolean {
    return this.#ended !== null;
  }

  ask<Name extends keyof Tasks>(
    task: Name,
    ...values: Parameters<Tasks[Name]>
  ): Promise<ReturnType<Tasks[Name]>> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const request: Request = { id: ++this.#last, task, values };
      this.#pending.set(request.id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  async end(): Promise<void> {
    // A terminated thread doesn't always keep the process alive until it has ended (Node.js 20): whoever waits would never
    // go on.
    const waiting = setInterval(() => {}, 60_000);
    await this.#worker.terminate();
    clearInterval(waiting);
  }

  #forget(id: number): void {
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.unref();
  }

  #end(error: Error): void {
    this.#ended ??= error;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(this.#ended);
  }
}
