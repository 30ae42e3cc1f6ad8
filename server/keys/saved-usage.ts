/** Usage. `refused` counts the requests that a limit of the key refused; `requests` includes them. */
export interface Counts {
  requests: number;
  refused: number;
  promptTokens: number;
  completionTokens: number;
}

/** State of a limit per minute: the amount `used` at the time `at`, in milliseconds since 1970. */
export interface SavedBucket {
  used: number;
  at: number;
}

/** What a later process needs to go on counting a caller's usage. */
export interface SavedUsage {
  /** Milliseconds since 1970. */
  since: number;
  total: Counts;
  /** Latest first. */
  days: [date: string, counts: Counts][];
  /** Null where the key had no such limit. */
  requestsPerMinute: SavedBucket | null;
  tokensPerMinute: SavedBucket | null;
}

/** Returns a stored value if it is a usage, else null. */
export function readSavedUsage(value: unknown): SavedUsage | null {
  return isSavedUsage(value) ? value : null;
}

function isSavedUsage(value: unknown): value is SavedUsage {
  const { since, total, days, requestsPerMinute, tokensPerMinute } = fieldsOf(value);
  return (
    isTime(since) &&
    isCounts(total) &&
    Array.isArray(days) &&
    days.every((day) => Array.isArray(day) && isDate(day[0]) && isCounts(day[1])) &&
    isBucket(requestsPerMinute) &&
    isBucket(tokensPerMinute)
  );
}

const fieldsOf = (value: unknown) => (value ?? {}) as Record<string, unknown>;
const isAmount = (value: unknown) => typeof value === "number" && Number.isFinite(value) && value >= 0;
const isDate = (value: unknown) => typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value);
/** Larger numbers are no valid `Date`. */
const isTime = (value: unknown) => isAmount(value) && (value as number) <= 8.64e15;

function isCounts(value: unknown): boolean {
  const { requests, refused, promptTokens, completionTokens } = fieldsOf(value);
  return [requests, refused, promptTokens, completionTokens].every(isAmount);
}

function isBucket(value: unknown): boolean {
  const { used, at } = fieldsOf(value);
  return value === null || (isAmount(used) && isTime(at));
}
