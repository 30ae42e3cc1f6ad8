import { execFile } from "node:child_process";
import type { Log } from "../log.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** A message that can't be delivered in this time is lost. */
const SEND_MS = 5000;
/** Messages of the watchdog in each of its periods: one may be late, or lost. */
const BEATS = 3;

/**
 * Tells systemd how the service is (Type=notify). Node has no datagram sockets of the Unix kind, so systemd's own
 * `systemd-notify` sends the messages; the unit needs NotifyAccess=all.
 */
export class Systemd {
  readonly #environment: Environment;
  readonly #log: Log;
  #beating: NodeJS.Timeout | null = null;
  #isSending = false;
  #hasFailed = false;

  private constructor(environment: Environment, log: Log) {
    this.#environment = environment;
    this.#log = log;
  }

  /** @returns null if systemd did not start this process, or asks for no messages */
  static of(environment: Environment, log: Log): Systemd | null {
    return environment.NOTIFY_SOCKET ? new Systemd(environment, log) : null;
  }

  /**
   * The service is up. From now on the watchdog is fed, if the unit has one.
   * @param isWell asked before each message; where it says no, none is sent, and systemd soon restarts the service
   */
  ready(isWell: () => boolean): void {
    this.#send("READY=1");
    const { WATCHDOG_USEC, WATCHDOG_PID = String(process.pid) } = this.#environment;
    const periodMs = Number(WATCHDOG_USEC) / 1000;
    if (!(periodMs > 0) || WATCHDOG_PID !== String(process.pid)) return;
    const beat = () => {
      if (isWell() && !this.#isSending) this.#send("WATCHDOG=1");
    };
    this.#beating = setInterval(beat, periodMs / BEATS).unref();
  }

  /** The service finishes its requests. The watchdog is fed on: a drain may take longer than its period. */
  stopping(): void {
    this.#send("STOPPING=1");
  }

  close(): void {
    if (this.#beating) clearInterval(this.#beating);
  }

  #send(message: string): void {
    this.#isSending = true;
    execFile("systemd-notify", [message], { env: { ...this.#environment }, timeout: SEND_MS }, (error) => {
      this.#isSending = false;
      if (error === null || this.#hasFailed) return;
      this.#hasFailed = true;
      this.#log.warn(`systemd was not told ${message}: ${error.message.split("\n")[0]}`);
    }).unref();
  }
}
