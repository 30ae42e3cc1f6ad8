import { ask } from "./api.js";
import { readEvents } from "./events.js";
import type { Status, StatusHistory } from "./status.js";

interface Listener {
  history(history: StatusHistory): void;
  status(status: Status): void;
}

/** The server sends something each second. After so long without, it or the way to it is stuck. */
const SILENCE_MS = 10_000;

/**
 * Follows what the server does, until the stream ends, falls silent, or `signal` aborts it. EventSource could not send the key.
 * @throws as `ask`; a TypeError if the connection breaks
 */
export async function followStatus(signal: AbortSignal, { history, status }: Listener): Promise<void> {
  const own = new AbortController();
  const abort = () => own.abort();
  signal.addEventListener("abort", abort);
  let timer = setTimeout(abort, SILENCE_MS);
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(abort, SILENCE_MS);
  };
  try {
    const response = await ask("/status/events", { signal: own.signal });
    for await (const { name, data } of readEvents(response, heard)) {
      if (name === "history") history(JSON.parse(data));
      if (name === "status") status(JSON.parse(data));
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
