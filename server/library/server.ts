import { JaiServer } from "../serve/server.js";
import { settings } from "../settings/config.js";
import { optionNames, readOptions, takeLog } from "./internal/read-options.js";
import type { ServerOptions } from "./server-options.js";

/** A model behind HTTP, as `jai serve` runs it. It never ends the process, and handles no signals. */
export interface Server {
  /**
   * Resolves to the server's address as soon as it listens. The model loads meanwhile: until `ready` resolves, requests
   * for texts are answered with 503.
   * @throws an error whose one line says why it can't listen there; the server is closed then
   * @example
   * const url = await server.listen(); // http://127.0.0.1:8000
   */
  listen(): Promise<string>;

  /**
   * Resolves when the model is loaded; rejects with the reason if it can't be. There once `listen` has resolved.
   * @example
   * await server.ready;
   */
  readonly ready: Promise<void>;

  /** How many requests wait or run. */
  readonly requests: number;

  /**
   * Admits nothing more, finishes what is admitted, cancels what is not finished in time, and closes.
   * @param options `drainSeconds`: how long to wait for what is admitted. Default as the server was opened with
   * @example
   * process.once("SIGTERM", () => server.close());
   */
  close(options?: { drainSeconds?: number }): Promise<void>;

  /**
   * Resolves when the server is closed. Rejects when it had to close because no worker can be had any more.
   * @example
   * await server.closed;
   */
  readonly closed: Promise<void>;
}

/** The log is the program's own affair. */
const names = Object.keys(settings).filter((name) => name !== "logLevel" && name !== "logFormat");

/**
 * Makes a server: reads the model folder, chooses workers and slots, and opens the data folder. Nothing listens and
 * nothing is loaded before `listen`.
 * @throws an error whose one line says what is wrong with an option, the model folder or the data folder
 * @example
 * import { openServer } from "jai-server";
 *
 * const server = await openServer({ model: "models/mine", port: 8000, log: console });
 * console.log(await server.listen());
 * process.once("SIGTERM", () => server.close());
 * await server.closed;
 */
export async function openServer(options: ServerOptions = {}): Promise<Server> {
  const { log, others } = takeLog(options);
  return optionNames(JaiServer.open(readOptions(others, { names }), log));
}
