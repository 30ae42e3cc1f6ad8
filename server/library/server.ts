import type { Log as ServerLog } from "../log.js";
import { JaiServer } from "../serve/server.js";
import { settings } from "../settings/config.js";
import { optionNames, readOptions, takeLog } from "./internal/read-options.js";
import type { Log } from "./log.js";
import type { ServerOptions } from "./server-options.js";

/** An HTTP server, the same as `jai serve`. It never ends the process and handles no signals. */
export interface Server {
  /**
   * Resolves to the server's URL as soon as it listens. The model may still load: until `ready` resolves, requests for
   * texts are answered with 503.
   * @throws an error with a one-line message if it can't listen; the server is then closed
   * @example
   * const url = await server.listen(); // http://127.0.0.1:8000
   */
  listen(): Promise<string>;

  /**
   * Resolves when the model is loaded; rejects if it can't be loaded. Read it after `listen` has resolved.
   * @example
   * await server.ready;
   */
  readonly ready: Promise<void>;

  /** Number of sequences that wait or run; a request with `n: 3` has three. */
  readonly requests: number;

  /**
   * Refuses new requests, finishes those that wait or run, cancels the ones that take too long, and closes.
   * @param options `drainSeconds`: how long to wait for requests. Default: the option of `openServer`
   * @example
   * process.once("SIGTERM", () => server.close());
   */
  close(options?: { drainSeconds?: number }): Promise<void>;

  /**
   * Resolves when the server is closed. Rejects if it had to close because its workers can't be started any more.
   * @example
   * await server.closed;
   */
  readonly closed: Promise<void>;
}

/** Settings that are no options: the program provides the log and the process itself. */
const others = ["logLevel", "logFormat", "restart"];
const names = Object.keys(settings).filter((name) => !others.includes(name));

/**
 * Prepares a server: reads the model folder, chooses workers and slots, and opens the data folder. It listens and loads
 * the model only once `listen` is called.
 * @throws an error with a one-line message: what is wrong with an option, the model folder or the data folder
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
  const config = readOptions(others, { names });
  return optionNames(JaiServer.open(config, config.logPrompts === "off" ? withoutPrompts(log) : log));
}

/** A log whose lines leave prompts out. */
function withoutPrompts(log: Log): ServerLog {
  return {
    error: (message, fields) => log.error(message, fields),
    warn: (message, fields) => log.warn(message, fields),
    info: (message, fields) => log.info(message, fields),
    debug: (message, fields) => log.debug(message, fields),
    hidesPrompts: true,
  };
}
