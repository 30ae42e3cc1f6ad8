import { useEffect, useState } from "preact/hooks";
import { RecentSeconds } from "../../state/recent-seconds.js";
import { ApiError, OfflineError } from "../../wire/errors.js";
import { followStatus } from "../../wire/follow-status.js";
import type { Status } from "../../wire/status.js";
import { useSession } from "../session.js";

export interface Watched {
  /** The last state that came; null before the first. */
  status: Status | null;
  recent: RecentSeconds;
  /** Why no states come, until they come again. */
  error: unknown;
  /** Whether states come. */
  isLive: boolean;
}

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

/**
 * Follows the server's state, and connects again after a break, later each time. While the tab is hidden or the reader
 * pauses, it holds no connection.
 */
export function useStatus(isPaused: boolean): Watched {
  const { report, generation } = useSession();
  const [watched, setWatched] = useState<Watched>({
    status: null,
    recent: RecentSeconds.empty,
    error: null,
    isLive: false,
  });
  const isHidden = useHidden();
  useEffect(() => {
    if (isPaused || isHidden) return;
    const controller = new AbortController();
    const { signal } = controller;
    const change = (news: (before: Watched) => Partial<Watched>) => {
      if (!signal.aborted) setWatched((before) => ({ ...before, ...news(before) }));
    };
    void follow(signal, change, report);
    return () => {
      controller.abort();
      setWatched((before) => ({ ...before, isLive: false, error: null }));
    };
  }, [isPaused, isHidden, generation, report]);
  return watched;
}

type Change = (news: (before: Watched) => Partial<Watched>) => void;

async function follow(signal: AbortSignal, change: Change, report: (error: unknown) => void): Promise<void> {
  for (let wait = FIRST_WAIT_MS; !signal.aborted; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    let error: unknown = new OfflineError();
    await followStatus(signal, {
      history: (history) => change(({ recent }) => ({ recent: recent.withHistory(history) })),
      status: (status) => {
        wait = FIRST_WAIT_MS;
        change(({ recent }) => ({ status, recent: recent.withStatus(status), error: null, isLive: true }));
      },
    }).catch((thrown) => {
      // A broken connection throws a TypeError; the reader needs no other words for it.
      if (thrown instanceof ApiError) error = thrown;
    });
    if (signal.aborted) return;
    change(() => ({ error, isLive: false }));
    report(error);
    // Without a valid key it would fail again; a new key starts anew.
    if (error instanceof ApiError && error.status === 401) return;
    const told = error instanceof ApiError ? 1000 * (error.retryAfter ?? 0) : 0;
    await pause(Math.max(wait, told) * (1 + Math.random() / 4), signal);
  }
}

/** Waits, at most until the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function useHidden(): boolean {
  const [isHidden, setHidden] = useState(document.hidden);
  useEffect(() => {
    const update = () => setHidden(document.hidden);
    document.addEventListener("visibilitychange", update);
    return () => document.removeEventListener("visibilitychange", update);
  }, []);
  return isHidden;
}
