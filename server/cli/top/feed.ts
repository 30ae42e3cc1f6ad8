import { setTimeout } from "node:timers/promises";
import { askEvents, readObject, ServerError } from "../server/ask.js";
import type { Server } from "../server/server.js";
import { type History, orTooOld, readStatus, type Status } from "../server/status.js";

export interface Feed {
  onStatus(status: Status, history: History | null): void;
  /** The connection was lost; it is tried again. */
  onLost(reason: string): void;
}

const AGAIN_MS = 1000;

/**
 * Follows a server's status until the signal is aborted. A lost connection is tried again, once the first was there.
 * @throws an error with a one-line message if the server refuses, or was never there
 */
export async function follow(server: Server, { onStatus, onLost }: Feed, signal: AbortSignal): Promise<void> {
  let known = false;
  while (!signal.aborted) {
    try {
      let history: History | null = null;
      for await (const { event, data } of askEvents(server, "status/events", { signal })) {
        const value = readObject(data);
        if (value === null) continue;
        if (event === "history") history = value as unknown as History;
        if (event !== "status") continue;
        const status = readStatus(server, value);
        known = true;
        history = history && extended(history, status);
        onStatus(status, history);
      }
      if (!known) throw new Error(`expected the events of a status at ${server.url}, got none`);
      onLost("the server ended the connection");
    } catch (error) {
      if (signal.aborted) return;
      // A draining or full server answers again later; a wrong key or an old version never does.
      const passing =
        known && (!(error instanceof ServerError) || error.status === null || error.status >= 500);
      if (!passing) throw orTooOld(server, error);
      onLost((error as Error).message);
    }
    await setTimeout(AGAIN_MS, undefined, { signal }).catch(() => {});
  }
}

/** The history with the newest values, and as many as before. */
function extended({ interval_seconds, series }: History, status: Status): History {
  const { rates, queue, cache, latency_ms: latency } = status;
  const now: Readonly<Record<string, number | null>> = {
    generated_tokens: rates.generated_tokens,
    prompt_tokens: rates.prompt_tokens,
    running: queue.running,
    waiting: queue.waiting,
    used_rows: cache.used_rows,
    ttft_p50_ms: latency.ttft.p50,
    ttft_p99_ms: latency.ttft.p99,
    itl_p50_ms: latency.itl.p50,
    itl_p99_ms: latency.itl.p99,
  };
  const longest = 300;
  return {
    interval_seconds,
    series: Object.fromEntries(
      Object.entries(series).map(([name, values]) => [name, [...values, now[name] ?? null].slice(-longest)]),
    ),
  };
}
