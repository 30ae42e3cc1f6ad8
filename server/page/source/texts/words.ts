import { ApiError, OfflineError } from "../wire/errors.js";
import type { Texts } from "./english.js";

/** An error in words: what happened, and what the server said about it. */
export function wordsOf(error: unknown, { error: texts }: Texts): { what: string; said: string | null } {
  if (error instanceof OfflineError)
    return { what: navigator.onLine ? texts.unreachable : texts.offline, said: null };
  if (!(error instanceof ApiError)) return { what: texts.failed, said: String(error) };
  const { status, message, retryAfter } = error;
  const said = message || null;
  if (status === 401) return { what: texts.key, said: null };
  if (status === 429) return { what: texts.tooMany(retryAfter), said };
  if (status === 507) return { what: texts.storeFull(retryAfter), said };
  if (status === 503) return { what: texts.unavailable(retryAfter), said };
  return { what: status >= 400 && status < 500 ? texts.refused : texts.failed, said };
}
