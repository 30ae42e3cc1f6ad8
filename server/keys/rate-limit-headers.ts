import type { Allowance, Caller } from "./caller.js";

/** OpenAI's rate limit headers for the limits that are set. Of the two token limits, the one with less left is shown. */
export function rateLimitHeaders(allowances: Caller["allowances"]): [name: string, value: string][] {
  const { requestsPerMinute, tokensPerMinute, tokensPerDay } = allowances;
  const tokens = [tokensPerMinute, tokensPerDay].filter((one) => one !== null);
  tokens.sort((a, b) => a.remaining - b.remaining);
  return [...headersOf("requests", requestsPerMinute), ...headersOf("tokens", tokens[0] ?? null)];
}

function headersOf(what: string, allowance: Allowance | null): [string, string][] {
  if (allowance === null) return [];
  const { limit, remaining, msUntilReset } = allowance;
  return [
    [`x-ratelimit-limit-${what}`, String(limit)],
    [`x-ratelimit-remaining-${what}`, String(remaining)],
    [`x-ratelimit-reset-${what}`, duration(msUntilReset ?? 0)],
  ];
}

/** `120ms`, `1.5s`, `6m0s` or `23h59m0s`, as Go writes durations. */
function duration(ms: number): string {
  const whole = Math.ceil(ms);
  if (whole < 1000) return `${whole}ms`;
  const [seconds, minutes, hours] = [
    (whole % 60_000) / 1000,
    Math.floor(whole / 60_000) % 60,
    Math.floor(whole / 3_600_000),
  ];
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
