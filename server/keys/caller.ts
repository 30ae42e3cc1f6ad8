import { type ErrorCode, errors, PublicError } from "../errors/errors.js";
import type { Key, Limits } from "../settings/key.js";
import { Ledger } from "./ledger.js";
import { DayQuota, MinuteQuota, type Now, type Quota, SLACK } from "./quota.js";
import type { SavedUsage } from "./saved-usage.js";

/** The caller's key has reached a limit. A later try may pass. */
export class LimitReached extends PublicError {
  override name = "LimitReached";
}

/** Tokens that a generation has used. */
export interface TokensUsed {
  promptTokens: number;
  completionTokens: number;
}

/** Tokens held for one generation until it ends. */
export interface Lease {
  /**
   * Frees the held tokens and charges the used ones. Must be called however the generation ends, without an argument if
   * nothing was computed. Only the first call counts.
   */
  settle(used?: TokensUsed): void;
}

/** A limit and what is left of it. `msUntilReset` is null for a limit that time doesn't reset (concurrent requests). */
export interface Allowance {
  limit: number;
  remaining: number;
  msUntilReset: number | null;
}

const none: TokensUsed = { promptTokens: 0, completionTokens: 0 };

/** The owner of a key, with limits and usage, shared by all requests with the key. */
export class Caller {
  readonly name: string;
  readonly ledger: Ledger;
  #priority!: number;
  #limits!: Readonly<Limits>;
  #requestsPerMinute: MinuteQuota | null = null;
  #tokensPerMinute: MinuteQuota | null = null;
  #tokensPerDay: DayQuota | null = null;
  /** Tokens held for all running generations: the most that they can use. */
  #held = 0;
  #running = 0;

  constructor(
    key: Omit<Key, "hash">,
    private readonly clock: Now,
    /** The highest priority that a request may ask for. Default: the key's own. */
    private readonly highest?: number,
  ) {
    this.name = key.name;
    this.ledger = new Ledger(clock);
    this.revise(key);
  }

  /** The queue priority of requests that don't ask for one. */
  get priority(): number {
    return this.#priority;
  }

  /** The queue priority of a request: what it asks for, capped. */
  priorityFor(asked: number = this.#priority): number {
    return Math.min(asked, this.highest ?? this.#priority);
  }

  /** Changes priority and limits from now on. Past usage still counts. */
  revise({ priority, limits }: Pick<Key, "priority" | "limits">): void {
    const { requestsPerMinute, tokensPerMinute, tokensPerDay } = limits;
    this.#priority = priority;
    this.#limits = limits;
    this.#requestsPerMinute = this.#minuteQuota(requestsPerMinute, this.#requestsPerMinute);
    this.#tokensPerMinute = this.#minuteQuota(tokensPerMinute, this.#tokensPerMinute);
    this.#tokensPerDay =
      tokensPerDay === null ? null : new DayQuota(tokensPerDay, this.clock, () => this.ledger.tokensToday);
  }

  /** What a later process needs to go on. */
  get usage(): SavedUsage {
    const { since, total, days } = this.ledger;
    return {
      since: since.getTime(),
      total,
      days,
      requestsPerMinute: this.#requestsPerMinute?.saved ?? null,
      tokensPerMinute: this.#tokensPerMinute?.saved ?? null,
    };
  }

  /** Goes on with what an earlier process counted. Call it before the caller does anything. */
  recall(usage: SavedUsage): void {
    this.ledger.recall(usage);
    const { requestsPerMinute, tokensPerMinute } = usage;
    if (requestsPerMinute !== null) this.#requestsPerMinute?.recall(requestsPerMinute);
    if (tokensPerMinute !== null) this.#tokensPerMinute?.recall(tokensPerMinute);
  }

  /** Counts an arriving request. @throws LimitReached 429 */
  arrive(): void {
    this.ledger.add({ requests: 1 });
    const wait = this.#requestsPerMinute?.msUntilRoom(1, 0) ?? 0;
    if (wait > 0) throw this.#refusal("rate_limited", wait);
    this.#requestsPerMinute?.use(1);
  }

  /**
   * Holds the most tokens that a generation can use, prompt included, so that running generations together never exceed
   * a limit.
   * @throws LimitReached 429 with the time until there is room
   * @throws PublicError 403 for more tokens than the limits ever allow
   */
  admit({ tokens }: { tokens: number }): Lease {
    this.assertFits({ tokens });
    const { concurrentRequests } = this.#limits;
    const quotas: [ErrorCode, Quota | null][] = [
      ["tokens_limited", this.#tokensPerMinute],
      ["quota_used_up", this.#tokensPerDay],
    ];
    const [code, wait] = quotas
      .map(([code, quota]) => [code, quota?.msUntilRoom(tokens, this.#held) ?? 0] as const)
      .reduce((longest, one) => (one[1] > longest[1] ? one : longest));
    if (wait > 0) throw this.#refusal(code, wait);
    // Nobody knows when a running request ends, so Retry-After is the shortest.
    if (concurrentRequests !== null && this.#running >= concurrentRequests)
      throw this.#refusal("concurrency_limited", 1);
    return this.#lease(tokens);
  }

  /** @throws PublicError 403 for a generation that may use more tokens than its limits ever allow */
  assertFits({ tokens }: { tokens: number }): void {
    const quotas = [this.#tokensPerMinute, this.#tokensPerDay];
    const least = Math.min(...quotas.map((quota) => quota?.limit ?? Number.POSITIVE_INFINITY));
    if (tokens > least)
      throw new PublicError("over_quota", { detail: `${errors.over_quota.detail}: ${tokens} of ${least}` });
  }

  /** What is left of each limit; null where there is no limit. */
  get allowances(): Record<keyof Limits, Allowance | null> {
    const { concurrentRequests } = this.#limits;
    return {
      requestsPerMinute: allowanceOf(this.#requestsPerMinute, 0),
      tokensPerMinute: allowanceOf(this.#tokensPerMinute, this.#held),
      tokensPerDay: allowanceOf(this.#tokensPerDay, this.#held),
      concurrentRequests:
        concurrentRequests === null
          ? null
          : {
              limit: concurrentRequests,
              remaining: Math.max(0, concurrentRequests - this.#running),
              msUntilReset: null,
            },
    };
  }

  #lease(tokens: number): Lease {
    this.#held += tokens;
    this.#running += 1;
    let settled = false;
    return {
      settle: ({ promptTokens, completionTokens } = none) => {
        if (settled) return;
        settled = true;
        this.#held -= tokens;
        this.#running -= 1;
        this.#tokensPerMinute?.use(promptTokens + completionTokens);
        this.ledger.add({ promptTokens, completionTokens });
      },
    };
  }

  #minuteQuota(limit: number | null, before: MinuteQuota | null): MinuteQuota | null {
    return limit === null ? null : new MinuteQuota(limit, this.clock, before?.used);
  }

  #refusal(code: ErrorCode, ms: number): LimitReached {
    return new LimitReached(code, { retryAfter: wholeSeconds(ms) });
  }
}

function allowanceOf(quota: Quota | null, held: number): Allowance | null {
  if (quota === null) return null;
  const { limit, used, msUntilReset } = quota;
  return { limit, remaining: Math.max(0, Math.floor(limit - used - held + SLACK)), msUntilReset };
}

/** Rounds up to whole seconds, at least 1: a retry must not come too early. */
function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000 - SLACK));
}
