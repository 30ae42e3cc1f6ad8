import { closedLoop, tokensPerSecond } from "../load/closed-loop.js";
import { SAMPLING } from "../load/prompts.js";
import type { BenchRequest, RunningSystem } from "../system.js";

const WARM_UP_TOKENS = 4;
const TRIAL_TOKENS = 48;
/** Trials go on for so long; the best counts, since the settings are not to blame for what slows one down now and then. */
const TRIALS_MS = 1500;
const PROMPT_TOKENS = 20;

/** The best settings for so many clients are taken to be best for more: trying them with all would take minutes. */
const MOST_TRIED = 8;

/** The winners so far, by system, model and number of clients: repeats of a benchmark run with the same settings. */
const chosen = new Map<string, number>();

/**
 * Starts a system with all cores and with one less, measures it shortly at its number of clients, and leaves it running
 * with the faster: beside a busy event loop, threads that wait for each other in a loop lose to fewer.
 * @throws what the last start threw, where none succeeds
 */
export async function startFastest(
  system: string,
  model: string,
  { clients, threads }: { clients: number; threads: number },
  start: (threads: number) => Promise<RunningSystem>,
): Promise<RunningSystem> {
  const tried = Math.min(clients, MOST_TRIED);
  const key = JSON.stringify([system, model, tried]);
  if (!chosen.has(key))
    chosen.set(key, await fastest(threads > 1 ? [threads, threads - 1] : [1], tried, start));
  return start(chosen.get(key)!);
}

async function fastest(
  candidates: readonly number[],
  clients: number,
  start: (threads: number) => Promise<RunningSystem>,
): Promise<number> {
  let best = { threads: 0, rate: 0 };
  let failure: unknown;
  for (const threads of candidates) {
    try {
      const rate = await bestRate(await start(threads), clients);
      if (rate > best.rate) best = { threads, rate };
    } catch (error) {
      failure = error;
    }
  }
  if (best.rate === 0) throw failure;
  return best.threads;
}

async function bestRate(running: RunningSystem, clients: number): Promise<number> {
  const trial = async (maxTokens: number) => {
    let request = 0;
    const next = (): BenchRequest => {
      const client = request++;
      // No two clients' begin alike, so that none has another's work to reuse.
      const ids = Array.from(
        { length: PROMPT_TOKENS },
        (_, i) => 10 + ((client * 31 + i * 7 + maxTokens) % 200),
      );
      return { text: "", ids, maxTokens, ...SAMPLING, seed: client, stream: false };
    };
    return tokensPerSecond(await closedLoop(running.ask.bind(running), { clients, seconds: 0, next }));
  };
  try {
    await trial(WARM_UP_TOKENS);
    const end = performance.now() + TRIALS_MS;
    let best = 0;
    while (performance.now() < end) best = Math.max(best, await trial(TRIAL_TOKENS));
    return best;
  } finally {
    await running.stop();
  }
}
