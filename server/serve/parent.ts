import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import { constants } from "node:os";
import { PublicError } from "../errors/errors.js";
import { worded } from "../errors/openai-error.js";
import { answerProtocolErrors } from "../http/protocol-errors.js";
import { summarizeRefusals } from "../http/summarize.js";
import type { Log } from "../log.js";
import { Telemetry } from "../telemetry/telemetry.js";
import { heldBy, type ListeningSocket, type Message, PARENT } from "./parent-link.js";

/** As many crashes within this time are answered by another start, as in ops/jai-server.service. */
const MOST_CRASHES = 5;
const WITHIN_MS = 300_000;
/** Pause after the first crash; each further one doubles it. */
const FIRST_PAUSE_MS = 500;
/** A child that hasn't ended this long after its drain is killed. ops/jai.sh kills this process 5 s later. */
const GRACE_MS = 5000;
/** How long a start takes, until one was measured. */
const USUAL_LOAD_MS = 5000;

export interface ParentOptions {
  /** The script to run, and its arguments. */
  script: string;
  args: readonly string[];
  drainSeconds: number;
  log: Log;
  firstPauseMs?: number;
}

/**
 * Runs the server in a child process, and starts it again when it crashes: when a signal or a failure ends it. It is
 * not started again when it was stopped, or when its start failed for a reason that it has told (status 1 or 2).
 *
 * The child hands its listening socket to this process too, so that the port stays bound when it crashes. Meanwhile
 * this process answers 503; the next child takes the socket over, with the connections that still wait in it.
 */
export class Parent {
  /** Resolves to the exit status, when there will be no other child. */
  readonly ended: Promise<number>;
  readonly #options: ParentOptions;
  #end!: (status: number) => void;
  #child: ChildProcess | null = null;
  /** Whether the child's model is loaded. */
  #ready = false;
  /** Whether the child's log is to be at the level debug. The next child's is too, after a crash. */
  #debug = false;
  #pause: NodeJS.Timeout | undefined;
  #stopping = false;
  #crashes: number[] = [];
  /** The child's listening socket. */
  #held: ListeningSocket | null = null;
  /** Answers in the child's place, until the next one listens. It has the socket then. */
  #standIn: Server | null = null;
  #loadMs = USUAL_LOAD_MS;
  /** When the next child is expected to be ready. */
  #readyAt = 0;
  /** Logs a request that this process answers. Nobody counts those: the child does, and has crashed. */
  readonly #noteRefusal: ReturnType<typeof summarizeRefusals>;

  constructor(options: ParentOptions) {
    this.#options = options;
    this.#noteRefusal = summarizeRefusals(new Telemetry(), options.log);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#start();
  }

  /** Passes a signal on to the child, which then drains and ends. */
  stop(signal: NodeJS.Signals): void {
    this.#held?.close();
    this.#held = null;
    this.#standIn?.close();
    this.#standIn = null;
    const child = this.#child;
    if (child === null) {
      clearTimeout(this.#pause);
      this.#end(0);
      return;
    }
    // On Windows the console tells the child itself, and a signal would end it at once.
    if (process.platform !== "win32") child.kill(signal);
    if (this.#stopping) return;
    this.#stopping = true;
    setTimeout(() => child.kill("SIGKILL"), this.#options.drainSeconds * 1000 + GRACE_MS).unref();
  }

  /** Switches the level of the child's log to debug, or back. A child that still starts is told once it is ready. */
  toggleDebug(): void {
    this.#debug = !this.#debug;
    // Before it handles the signal, a child would be ended by it.
    if (this.#ready) this.#child?.kill("SIGUSR2");
  }

  #start(): void {
    const { script, args } = this.#options;
    const startedAt = performance.now();
    this.#ready = false;
    const child = fork(script, args, {
      env: { ...process.env, [PARENT]: String(process.pid) },
      // A process group of its own: the terminal would send Ctrl-C to both, and the child would get it twice.
      detached: process.platform !== "win32",
    });
    this.#child = child;
    child.on("message", (message: Message, socket) => {
      if (message === "take") this.#hand(child);
      else if (message === "keep") this.#keep(child, socket as unknown as ListeningSocket);
      else {
        this.#ready = true;
        this.#loadMs = performance.now() - startedAt;
        if (this.#debug) child.kill("SIGUSR2");
      }
    });
    // A child that can't be started has no exit event, only this one.
    child.once("error", (error) => {
      if (child.pid === undefined) this.#crashed(`could not be started: ${error.message}`, 1);
    });
    child.once("exit", (code, signal) => {
      const status = code ?? 128 + constants.signals[signal!];
      if (this.#stopping || code === 0 || (!this.#ready && (code === 1 || code === 2))) this.#end(status);
      else this.#crashed(signal === null ? `ended with status ${code}` : `was ended by ${signal}`, status);
    });
  }

  #crashed(what: string, status: number): void {
    const { log, firstPauseMs = FIRST_PAUSE_MS } = this.#options;
    this.#child = null;
    this.#ready = false;
    const now = performance.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < WITHIN_MS), now];
    const { length } = this.#crashes;
    if (length > MOST_CRASHES) {
      log.error(`the server ${what}, ${length} times within ${WITHIN_MS / 1000} s: it is not started again`);
      this.#end(status);
      return;
    }
    const pause = firstPauseMs * 2 ** (length - 1);
    this.#readyAt = now + pause + this.#loadMs;
    this.#answer();
    log.error(`the server ${what}; it starts again in ${pause / 1000} s`);
    this.#pause = setTimeout(() => this.#start(), pause);
  }

  /** The child listens, and answers from here on. */
  #keep(child: ChildProcess, socket: ListeningSocket): void {
    if (this.#stopping) {
      socket.close();
      return;
    }
    // Requests that this process has begun to read get its answer.
    this.#standIn?.close();
    this.#standIn = null;
    this.#held = socket;
    // Its message may come after its end.
    if (this.#child !== child) this.#answer();
  }

  /** Answers on the socket of the child that crashed, if it had one. */
  #answer(): void {
    // Another child may have crashed before it listened: then the stand-in still answers.
    if (this.#held === null) return;
    this.#standIn = createServer({ requireHostHeader: false }, this.#refuse);
    answerProtocolErrors(this.#standIn, this.#noteRefusal);
    this.#standIn.listen(this.#held);
    this.#held = null;
  }

  /** Hands the socket to a child that is about to listen, or nothing if there is none yet. */
  #hand(child: ChildProcess): void {
    // Until the child listens, this process answers too: the child may crash before.
    const socket = this.#standIn && heldBy(this.#standIn);
    // An error means that it has crashed.
    child.send("take", socket as never, () => {});
  }

  #refuse: RequestListener = (req, res) => {
    const retryAfter = Math.max(1, Math.ceil((this.#readyAt - performance.now()) / 1000));
    const error = new PublicError("model_loading", { retryAfter });
    const { status, body } = worded(error, req.url!.split("?", 1)[0]!);
    const id = randomUUID();
    const headers = { "Content-Type": "application/json; charset=utf-8", "X-Request-Id": id };
    // An answer before the body's end may be lost: the closed connection would be reset.
    req.resume().once("end", () => {
      this.#noteRefusal({ id, error, request: req, response: null });
      res.writeHead(status, { ...headers, ...error.headers, Connection: "close" }).end(JSON.stringify(body));
    });
  };
}
