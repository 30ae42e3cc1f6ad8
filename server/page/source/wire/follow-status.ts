import { ask } from "./api.js";
import { readEvents } from "./events.js";
import type { Status, StatusHistory } from "./status.js";

interface Listener {
  history(history: StatusHistory): void;
  status(status: Status): void;
}

/**
 * Follows what the server does, until the stream ends or `signal` aborts it. EventSource could not send the key.
 * @throws as `ask`; a TypeError if the connection breaks
 */
export async function followStatus(signal: AbortSignal, { history, status }: Listener): Promise<void> {
  const response = await ask("/status/events", { signal });
  for await (const { name, data } of readEvents(response)) {
    if (name === "history") history(JSON.parse(data));
    if (name === "status") status(JSON.parse(data));
  }
}
