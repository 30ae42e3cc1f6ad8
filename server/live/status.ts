import type { ModelConfig } from "../../models/config.js";
import { cacheBytesPerSlot } from "../../models/folder.js";
import type { Caller } from "../keys/caller.js";
import type { Plan } from "../plan/plan.js";
import type { Queue } from "../queue/queue.js";
import type { Live, Workers } from "./live.js";

/** Cap on the waiting requests that are listed. */
const MOST_LISTED = 50;

export interface StatusParts {
  model: { config: ModelConfig };
  plan: Pick<Plan, "device" | "concurrency" | "threads">;
  queue: Pick<Queue<unknown, unknown>, "running" | "waiting" | "limit" | "next">;
  workers: () => Workers;
  live: Live;
  /** Whether keys are set, so that a caller must not know the others. */
  keyed: () => boolean;
  /** `status` of GET /health. */
  health: () => string;
  jobs: () => { waiting: number; running: number; done: number; failed: number; cancelled: number };
  vitals: () => {
    workers: { deaths: number };
    reruns: { tasks: number };
    memory: { rss: number; budget: number; replaced_workers: number };
  };
  /** When the server started, by `performance.now()`. */
  startedAt: number;
  version: string;
}

/** What a viewer sees of the moment at which it was made. */
export type StatusOf = (viewer: Pick<Caller, "name">) => object;

/** How long a walk through the queue serves all who ask, in milliseconds: it takes milliseconds of the main thread. */
const WALK_MS = 1000;

/** What the server does now: the answer of GET /status. Only their own requests have a name for callers with a key. */
export class StatusBoard {
  readonly #parts: StatusParts;
  #walk: { queueOf: StatusOf; until: number } | null = null;

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  /** All viewers share it, so what it shows of a queue in which requests wait may be a second old. */
  get shared(): StatusOf {
    const { queue } = this.#parts;
    const isFresh = this.#walk !== null && performance.now() < this.#walk.until;
    return isFresh && queue.waiting > 0 ? statusNow(this.#parts, this.#walk!.queueOf) : this.anew();
  }

  /** Walks through the queue. */
  anew(): StatusOf {
    const queueOf = queueNow(this.#parts);
    this.#walk = this.#parts.queue.waiting > 0 ? { queueOf, until: performance.now() + WALK_MS } : null;
    return statusNow(this.#parts, queueOf);
  }
}

function statusNow(parts: StatusParts, queueOf: StatusOf): StatusOf {
  const { model, plan, workers, live, health, jobs, vitals, startedAt, version } = parts;
  const { name, precision, n_positions: context, vocab_size: vocabulary } = model.config;
  const { workers: died, reruns, memory } = vitals();
  const status = {
    time: new Date().toISOString(),
    version,
    uptime_seconds: Math.floor((performance.now() - startedAt) / 1000),
    status: health(),
    model: { name, precision, context, vocabulary },
    device: plan.device,
    threads: plan.threads,
    workers: workers().states,
    queue: {},
    rates: live.rates,
    latency_ms: live.latencies,
    cache: {
      bytes: plan.concurrency * cacheBytesPerSlot(model.config),
      ...live.rows,
      ...live.prefixes,
    },
    jobs: jobs(),
    requests: live.requests,
    restarts: { workers: died.deaths + memory.replaced_workers, reruns: reruns.tasks },
    memory: { rss: memory.rss, budget: memory.budget },
    event_loop_ms: live.eventLoop,
  };
  return (viewer) => ({ ...status, queue: queueOf(viewer) });
}

function queueNow({ queue, keyed }: StatusParts): StatusOf {
  const { running, waiting, limit } = queue;
  const requests = waiting === 0 ? [] : queue.next(MOST_LISTED);
  const isHidden = keyed();
  const more = Math.max(waiting - requests.reduce((sum, { sequences }) => sum + sequences, 0), 0);
  return (viewer) => ({
    running,
    waiting,
    limit,
    requests: requests.map(({ position, expectedWait, waitedMs, sequences, priority, caller }) => {
      const own = caller === viewer.name;
      return {
        position,
        expected_wait: expectedWait,
        waited: Math.round(waitedMs / 10) / 100,
        sequences,
        priority,
        caller: isHidden && !own ? null : caller,
        own,
      };
    }),
    more,
  });
}
