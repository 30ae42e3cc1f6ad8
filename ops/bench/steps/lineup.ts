import { setTimeout as sleep } from "node:timers/promises";
import { closedLoop, tokensPerSecond, tokensThatFit } from "../load/closed-loop.js";
import { type Ask, exchange } from "../load/exchange.js";
import type { Prompts } from "../load/prompts.js";
import type { BenchModel, RunningSystem, System } from "../load/system.js";
import type { Results } from "../results/results.js";

/** Fewest tokens that are requested from a slow system; also those of the warm-up. */
const LEAST_TOKENS = 16;
const START_SECONDS = 180;
const LEAST_PATIENCE_SECONDS = 60;
/** Trial of a number of threads: tokens per answer, duration, and most clients. */
const TRIAL = { tokens: 48, seconds: 1.5, clients: 8 };
/** Pause between two systems' turns: threads of the last one may still spin. */
const PAUSE_MS = 200;

/** A running, warmed-up system. */
export interface Runner {
  ask: Ask;
  clients: number;
  /** Tokens per request, chosen so that a measurement ends in time. */
  tokens: number;
  streams: boolean;
}

interface Started {
  starting: Promise<RunningSystem>;
  running: RunningSystem;
}

/** The systems that start or run, so that an interrupt can end them. */
const alive = new Set<Promise<RunningSystem>>();

export async function stopAll(): Promise<void> {
  await Promise.allSettled([...alive].map(stopOne));
}

async function stopOne(starting: Promise<RunningSystem>): Promise<void> {
  try {
    await (await starting).stop();
  } finally {
    alive.delete(starting);
  }
}

/** Starts systems, warms them up and measures them in turns. A failure is recorded, and the others go on. */
export class Lineup {
  readonly #runners = new Map<System, { runner: Runner; starting: Promise<RunningSystem> }>();
  /** Systems that can't run this model. */
  readonly #unable = new Set<System>();
  /** The fastest number of threads, by a system's name and the number of clients. */
  readonly #threads = new Map<string, number>();

  constructor(
    readonly model: BenchModel,
    readonly prompts: Prompts,
    readonly results: Results,
  ) {}

  runner(system: System): Runner | undefined {
    return this.#runners.get(system)?.runner;
  }

  /** Starts a system for this many clients and warms it up. Does nothing if it couldn't start before. */
  async start(system: System, clients: number): Promise<void> {
    if (this.#unable.has(system)) return;
    const { name } = this.model.config;
    let started: Started | undefined;
    try {
      const threads = await this.#threadsFor(system, clients);
      started = await this.#launch(system, clients, threads);
      const { settings, ask } = started.running;
      this.results.systems.push({ model: name, system: system.name, clients, settings });
      const runner = { ask, clients, ...(await this.#warmUp(ask, clients)) };
      this.#runners.set(system, { runner, starting: started.starting });
    } catch (error) {
      this.note(system, started ? clients : null, error);
      if (started) await stopOne(started.starting);
      else this.#unable.add(system);
    }
  }

  async #launch(system: System, clients: number, threads: number): Promise<Started> {
    const starting = system.start(this.model, { clients, threads });
    alive.add(starting);
    try {
      return { starting, running: await within(START_SECONDS, starting) };
    } catch (error) {
      // If it starts after all, it must not run beside the others.
      stopOne(starting).catch(() => {});
      throw error;
    }
  }

  /** Tries all cores and one less: beside a busy event loop, spinning threads are slower than one thread fewer. */
  async #threadsFor(system: System, clients: number): Promise<number> {
    const { threads } = this.results.settings;
    if (!system.tuned || threads === 1) return threads;
    const tried = Math.min(clients, TRIAL.clients);
    const key = `${system.name}, ${tried}`;
    const rates: number[] = [];
    for (const count of this.#threads.has(key) ? [] : [threads, threads - 1]) {
      const { starting, running } = await this.#launch(system, tried, count);
      const next = () => this.prompts.request(TRIAL.tokens, false);
      const loop = (seconds: number) => closedLoop(running.ask, { clients: tried, seconds, next });
      try {
        await within(LEAST_PATIENCE_SECONDS, loop(0));
        rates.push(tokensPerSecond(await within(LEAST_PATIENCE_SECONDS, loop(TRIAL.seconds))));
      } catch {
        // If the other number of threads fails too, the warm-up will report the error.
        rates.push(0);
      } finally {
        await stopOne(starting);
      }
    }
    if (rates.length > 0) this.#threads.set(key, rates[0]! >= rates[1]! ? threads : threads - 1);
    return this.#threads.get(key)!;
  }

  async stop(system: System): Promise<void> {
    const started = this.#runners.get(system);
    this.#runners.delete(system);
    if (started) await stopOne(started.starting);
  }

  /**
   * Runs one measurement of a system, if it runs. A system that fails is stopped: later measurements would mean
   * nothing.
   */
  async measure(system: System, work: (runner: Runner) => Promise<void>): Promise<void> {
    const runner = this.runner(system);
    if (!runner) return;
    await sleep(PAUSE_MS);
    try {
      await within(Math.max(LEAST_PATIENCE_SECONDS, 10 * this.results.settings.mostSeconds), work(runner));
    } catch (error) {
      this.note(system, runner.clients, error);
      await this.stop(system);
    }
  }

  note(system: System, clients: number | null, error: unknown): void {
    const reason = (error as Error).message.split("\n")[0]!;
    this.results.problems.push({ model: this.model.config.name, system: system.name, clients, reason });
  }

  /** Sends requests that don't count, and derives from them how long requests may be. */
  async #warmUp(ask: Ask, clients: number): Promise<Pick<Runner, "tokens" | "streams">> {
    const { tokens: wanted, mostSeconds } = this.results.settings;
    const patience = Math.max(LEAST_PATIENCE_SECONDS, 6 * mostSeconds);
    const fit = (rate: number) => {
      const least = Math.min(wanted, LEAST_TOKENS);
      const tokens = tokensThatFit(rate, clients, { wanted, least, seconds: mostSeconds });
      if (tokens === null) throw new Error(`too slow to measure: ${rate.toPrecision(2)} tokens/s`);
      return tokens;
    };
    const rateWith = async (tokens: number) => {
      const next = () => this.prompts.request(tokens, false);
      return tokensPerSecond(await within(patience, closedLoop(ask, { clients, seconds: 0, next })));
    };
    // The first request of a server may compile or allocate.
    await within(patience, exchange(ask, this.prompts.request(LEAST_TOKENS, false)));
    const probe = await within(patience, exchange(ask, this.prompts.request(LEAST_TOKENS, true)));
    // If all tokens arrive at once, the system doesn't stream.
    const streams = probe.arrivals.length > 1;
    const lone = tokensPerSecond([[probe]]);
    // Too slow for a warm-up with all clients, which would take as long as the measurement.
    if (clients * LEAST_TOKENS > lone * mostSeconds) return { streams, tokens: fit(lone) };
    fit(lone);
    const tokens = fit(await rateWith(LEAST_TOKENS));
    if (tokens >= wanted) return { streams, tokens };
    // Short answers are mostly prompt, and the first ones include the system's own warm-up: longer ones may fit after
    // all.
    return { streams, tokens: Math.max(tokens, fit(await rateWith(tokens))) };
  }
}

/** @throws if the promise has not settled in time */
async function within<T>(seconds: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`no answer within ${Math.round(seconds)} s`);
    timer = setTimeout(reject, 1000 * seconds, error);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
