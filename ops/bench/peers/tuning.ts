import type { BenchModel, RunningSystem } from "../system.js";

const WARM_UP_TOKENS = 4;
const TRIAL_TOKENS = 48;
/** Trials go on for so long; the best counts, since what slows one down now and then is not the settings. */
const TRIALS_MS = 1500;
const PROMPT_TOKENS = 20;

/** What is best for so many clients is taken to be best for more: trying it with all of them would take minutes. */
const MOST_TRIED = 8;

/** The winners so far, by system, model and number of clients: repeats of a benchmark run with the same settings. */
const chosen = new Map<string, unknown>();

/**
 * Starts a system with each of the settings, measures it shortly at its number of clients, and leaves it running with the
 * fastest: what is best on one machine (all cores or one less, say) is several times slower on another.
 * @throws Error what the last one threw, where none runs
 */
export async function startFastest<T>(
  system: string,
  model: BenchModel,
  clients: number,
  candidates: readonly T[],
  start: (settings: T) => Promise<RunningSystem>,
): Promise<RunningSystem> {
  const tried = Math.min(clients, MOST_TRIED);
  const key = `${system}\0${model.checkpoint}\0${tried}`;
  if (!chosen.has(key)) chosen.set(key, await fastest(candidates, tried, start));
  return start(chosen.get(key) as T);
}

async function fastest<T>(
  candidates: readonly T[],
  clients: number,
  start: (settings: T) => Promise<RunningSystem>,
): Promise<T> {
  let best: { settings: T; rate: number } | undefined;
  let failure: unknown;
  for (const settings of candidates) {
    try {
      const running = await start(settings);
      try {
        await trial(running, clients, WARM_UP_TOKENS);
        const end = performance.now() + TRIALS_MS;
        while (performance.now() < end) {
          const rate = await trial(running, clients, TRIAL_TOKENS);
          if (best === undefined || rate > best.rate) best = { settings, rate };
        }
      } finally {
        await running.stop();
      }
    } catch (error) {
      failure = error;
    }
  }
  if (best === undefined) throw failure;
  return best.settings;
}

/** Tokens per second of one request from each client. */
async function trial(running: RunningSystem, clients: number, maxTokens: number): Promise<number> {
  const start = performance.now();
  const counts = await Promise.all(
    Array.from({ length: clients }, (_, client) =>
      running.ask({
        text: "",
        // No two clients' begin alike, so that none has another's work to reuse.
        ids: Array.from({ length: PROMPT_TOKENS }, (_, i) => 10 + ((client * 31 + i * 7 + maxTokens) % 200)),
        maxTokens,
        temperature: 0.8,
        topK: 50,
        seed: client,
        stream: false,
      }),
    ),
  );
  return (counts.reduce((sum, count) => sum + count, 0) / (performance.now() - start)) * 1000;
}

/** All cores, and one less: beside a busy event loop, threads that wait for each other in a loop lose to fewer. */
export function threadChoices(threads: number): number[] {
  return threads > 1 ? [threads, threads - 1] : [threads];
}
