import { setTimeout as sleep } from "node:timers/promises";
import { closedLoop, closedLoopFigures, tokensThatFit } from "./closed-loop.js";
import { exchange } from "./exchange.js";
import { type Prompt, type Prompts, SAMPLING } from "./prompts.js";
import type { Results } from "./results.js";
import type { BenchModel, BenchRequest, RunningSystem, System } from "./system.js";

/** Fewest tokens that a slow system's requests ask for. */
const LEAST_TOKENS = 16;
const WARM_UP_TOKENS = 16;
const START_SECONDS = 180;
const LEAST_PATIENCE_SECONDS = 60;
/** Between two systems' turns: threads of the last may still spin. */
const PAUSE_MS = 200;

interface Started {
  system: System;
  starting: Promise<RunningSystem>;
  running: RunningSystem;
  clients: number;
}

export interface Runner extends Started {
  /** Tokens of each request, so that a measurement ends in time. */
  tokens: number;
  streams: boolean;
}

/** The systems that are being started or run, so that an interrupt can end them. */
const alive = new Set<Promise<RunningSystem>>();

export async function stopAll(): Promise<void> {
  await Promise.allSettled([...alive].map(async (starting) => (await starting).stop()));
  alive.clear();
}

/** Starts systems, warms them up and measures them in turns; what goes wrong is noted, and the others go on. */
export class Lineup {
  readonly #model: BenchModel;
  readonly #results: Results;
  readonly #prompts: Prompts;
  readonly #runners = new Map<System, Runner>();
  /** Systems that cannot run this model at all. */
  readonly #unable = new Set<System>();
  #requests = 0;

  constructor(model: BenchModel, prompts: Prompts, results: Results) {
    this.#model = model;
    this.#prompts = prompts;
    this.#results = results;
  }

  get model(): string {
    return this.#model.name;
  }

  runner(system: System): Runner | undefined {
    return this.#runners.get(system);
  }

  /** A request with a prompt that no other has. */
  request(maxTokens: number, stream: boolean, promptTokens?: number): BenchRequest {
    const prompt = promptTokens === undefined ? this.#prompts.short() : this.#prompts.ofLength(promptTokens);
    return this.#ask(prompt, maxTokens, stream);
  }

  /** Two requests whose prompts begin with the same `shared` tokens. */
  twins(maxTokens: number, stream: boolean, shared: number): [BenchRequest, BenchRequest] {
    const [first, second] = this.#prompts.twins(shared);
    return [this.#ask(first, maxTokens, stream), this.#ask(second, maxTokens, stream)];
  }

  #ask(prompt: Prompt, maxTokens: number, stream: boolean): BenchRequest {
    return { ...prompt, ...SAMPLING, maxTokens, seed: this.#requests++, stream };
  }

  /** Starts a system for so many clients and warms it up. Does nothing for one that couldn't start before. */
  async start(system: System, clients: number): Promise<void> {
    if (this.#unable.has(system)) return;
    const { threads } = this.#results.settings;
    const starting = system.start(this.#model, { clients, threads });
    alive.add(starting);
    let running: RunningSystem;
    try {
      running = await within(START_SECONDS, starting);
    } catch (error) {
      this.#unable.add(system);
      this.note(system, null, error);
      // One that comes up after all would run beside the others.
      starting
        .then((late) => late.stop())
        .catch(() => {})
        .finally(() => alive.delete(starting));
      return;
    }
    this.#results.systems.push({
      model: this.model,
      system: system.name,
      clients,
      settings: running.settings,
    });
    const started = { system, starting, running, clients };
    try {
      this.#runners.set(system, await this.#warmUp(started));
    } catch (error) {
      this.note(system, clients, error);
      await this.#end(started);
    }
  }

  async stop(system: System): Promise<void> {
    const runner = this.#runners.get(system);
    this.#runners.delete(system);
    if (runner) await this.#end(runner);
  }

  /** One closed-loop measurement, where the system runs. */
  async measure(system: System, stream: boolean, repeat: number): Promise<void> {
    const runner = this.#runners.get(system);
    if (!runner || (stream && !runner.streams)) return;
    const { clients, tokens, running } = runner;
    const { seconds, mostSeconds } = this.#results.settings;
    await sleep(PAUSE_MS);
    try {
      const exchanges = await within(
        Math.max(LEAST_PATIENCE_SECONDS, 10 * mostSeconds),
        closedLoop(running.ask.bind(running), { clients, seconds, next: () => this.request(tokens, stream) }),
      );
      this.#results.closed.push({
        model: this.model,
        repeat,
        system: system.name,
        clients,
        stream,
        tokens,
        ...closedLoopFigures(exchanges),
      });
    } catch (error) {
      // What it does after a failure is no measurement.
      this.note(system, clients, error);
      await this.stop(system);
    }
  }

  note(system: System, clients: number | null, error: unknown): void {
    const reason = (error as Error).message.split("\n")[0]!;
    this.#results.problems.push({ model: this.model, system: system.name, clients, reason });
  }

  /** Requests that don't count, and from them how long a request may be. */
  async #warmUp(started: Started): Promise<Runner> {
    const { running, clients } = started;
    const { tokens: wanted, mostSeconds } = this.#results.settings;
    const patience = Math.max(LEAST_PATIENCE_SECONDS, 6 * mostSeconds);
    const fit = (rate: number) =>
      tokensThatFit(rate, clients, { wanted, least: Math.min(wanted, LEAST_TOKENS), seconds: mostSeconds });
    const tooSlow = (rate: number) => new Error(`too slow to measure: ${rate.toPrecision(2)} tokens/s`);

    const ask = running.ask.bind(running);
    // The first request of a server may compile or allocate.
    await within(patience, exchange(ask, this.request(WARM_UP_TOKENS, false)));
    const probe = await within(patience, exchange(ask, this.request(WARM_UP_TOKENS, true)));
    // All at once is no stream.
    const streams = probe.arrivals.length > 1;
    const lone = (1000 * probe.tokens) / (probe.ended - probe.asked);
    if (fit(lone) === null) throw tooSlow(lone);
    // So slow that a warm-up of all its clients would take as long as the measurement.
    if (clients * WARM_UP_TOKENS > lone * mostSeconds) return { ...started, streams, tokens: fit(lone)! };
    const rateWith = async (tokens: number) => {
      const next = () => this.request(tokens, false);
      const exchanges = await within(patience, closedLoop(ask, { clients, seconds: 0, next }));
      return closedLoopFigures(exchanges).tokensPerSecond;
    };
    const rate = await rateWith(WARM_UP_TOKENS);
    const tokens = fit(rate);
    if (tokens === null) throw tooSlow(rate);
    if (tokens >= wanted) return { ...started, streams, tokens };
    // Short answers are mostly their prompts, and the first ones also the system's own warm-up: more may fit than they say.
    return { ...started, streams, tokens: Math.max(tokens, fit(await rateWith(tokens)) ?? 0) };
  }

  async #end({ running, starting }: Started): Promise<void> {
    await running.stop();
    alive.delete(starting);
  }
}

/** @throws when the promise has not settled in time */
export async function within<T>(seconds: number, promise: Promise<T>): Promise<T> {
  const settled = new AbortController();
  const late = sleep(1000 * seconds, null, { signal: settled.signal }).then(
    () => {
      throw new Error(`no answer within ${Math.round(seconds)} s`);
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    settled.abort();
  }
}
