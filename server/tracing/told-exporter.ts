import { ExportResultCode } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Log } from "../log.js";

/** A collector that stays away is told of this often. */
const PAUSE_MS = 60_000;

type Done = Parameters<SpanExporter["export"]>[1];

/** Passes spans on to an exporter, and logs those that are lost, at most once a minute. */
export class ToldExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #target: string;
  readonly #log: Pick<Log, "warn">;
  readonly #now: () => number;
  readonly #waiting = new Set<Done>();
  #lost = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** @param target where spans go, for the log */
  constructor(exporter: SpanExporter, target: string, log: Pick<Log, "warn">, now = () => performance.now()) {
    this.#exporter = exporter;
    this.#target = target;
    this.#log = log;
    this.#now = now;
  }

  export(spans: ReadableSpan[], done: Done): void {
    const once: Done = (result) => {
      if (!this.#waiting.delete(once)) return;
      if (result.code !== ExportResultCode.SUCCESS) this.#lose(spans.length, result.error);
      // A failure would only reach the SDK's own log. The spans are lost in any case.
      done({ code: ExportResultCode.SUCCESS });
    };
    this.#waiting.add(once);
    this.#exporter.export(spans, once);
  }

  /** Gives up what is under way, so that none of its timers keeps the process alive. */
  abandon(): void {
    for (const done of this.#waiting)
      done({ code: ExportResultCode.FAILED, error: new Error("the server has stopped") });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  #lose(spans: number, error: Error | undefined): void {
    this.#lost += spans;
    const now = this.#now();
    if (now - this.#toldAt < PAUSE_MS) return;
    this.#toldAt = now;
    this.#log.warn(`tracing: ${this.#lost} spans could not be sent to ${this.#target}: ${reasonOf(error)}`);
    this.#lost = 0;
  }
}

/** An error's first line, with the status or the code that a bare message may lack. */
function reasonOf(error: Error | undefined): string {
  const { code, message } = (error ?? new Error("no answer")) as Error & { code?: string | number };
  const [first = ""] = message.split("\n");
  const isTold = code === undefined || first.includes(String(code));
  return [isTold ? "" : String(code), first.slice(0, 200)].filter((part) => part).join(" ");
}
