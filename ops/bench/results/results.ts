import type { ModelConfig } from "../../../models/config.js";
import type { Percentiles } from "./statistics.js";

/** Our own system's name, among the peers'. */
export const OURS = "jai-server";

export type Precision = "int8" | "fp32";

/** Everything that a run measured: the content of `results.json`. Each repeat has its own row; reports take medians. */
export interface Results {
  format: 3;
  command: string;
  /** Times in ISO 8601; `finished` is null until the run has ended. */
  started: string;
  finished: string | null;
  machine: Machine;
  versions: Record<string, string>;
  settings: RunSettings;
  models: ModelConfig[];
  systems: SystemRow[];
  problems: ProblemRow[];
  decode: DecodeRow[];
  prefill: PrefillRow[];
  reuse: ReuseRow[];
  alone: AloneRow[];
  closed: ClosedRow[];
  conditions: ConditionRow[];
  open: OpenRow[];
}

export interface Machine {
  processor: string;
  /** Number of cores that this process may use. */
  cores: number;
  memoryBytes: number;
  system: string;
  /** Instruction sets that decide which kernels the runtimes use, if the system lists them. */
  instructions: string[];
}

export interface RunSettings {
  threads: number;
  /** Tokens of every answer in a closed loop, if the system is fast enough. */
  tokens: number;
  repeats: number;
  /** Minimum length of one closed-loop measurement, and the longest that one request of every client may take. */
  seconds: number;
  mostSeconds: number;
  bounds: Bounds;
}

/** Latency bounds in an open loop: a request within both is good. */
export interface Bounds {
  firstTokenMs: number;
  meanInterTokenMs: number;
}

/** The settings that a system ran with. */
export interface SystemRow {
  model: string;
  system: string;
  clients: number;
  settings: string;
}

/** A failed measurement and its reason. */
export interface ProblemRow {
  model: string;
  system: string;
  /** Null if it failed for any number of clients. */
  clients: number | null;
  reason: string;
}

interface Cell {
  model: string;
  repeat: number;
}

/** A decode step of the engine; times in milliseconds. */
export interface DecodeFigures {
  batch: number;
  /** Tokens in each sequence's cache. */
  depth: number;
  step: number;
  /** The runtime's share of the step's time; the rest is JavaScript. */
  native: number;
}

/** A prompt's prefill in the engine; times in milliseconds. */
export interface PrefillFigures {
  tokens: number;
  total: number;
  native: number;
}

export type DecodeRow = Cell & { precision: Precision } & DecodeFigures;
export type PrefillRow = Cell & { precision: Precision } & PrefillFigures;

/**
 * Time to first token over HTTP of a lone prompt of `shared` tokens, and of one right after it with the same beginning.
 */
export type ReuseRow = Cell & { shared: number; first: number; again: number };

/** The closed loop on our engine alone, without a server. */
export type AloneRow = Cell & { clients: number; tokensPerSecond: number };

export interface ClosedLoopFigures {
  tokensPerSecond: number;
  requests: number;
  seconds: number;
  /** Latencies in milliseconds; null if answers weren't streamed. */
  firstToken: Percentiles | null;
  interToken: Percentiles | null;
  endToEnd: Percentiles;
}

/** `tokens` is the length of every answer. */
export type ClosedRow = Cell &
  ClosedLoopFigures & { system: string; clients: number; stream: boolean; tokens: number };

/** `busy`: beside a process that keeps one core busy. `asked`: with questions that were asked before. */
export const CONDITIONS = ["quiet", "busy", "asked"] as const;
export type Condition = (typeof CONDITIONS)[number];

/** The closed loop of whole answers in a condition. */
export type ConditionRow = Cell & {
  system: string;
  clients: number;
  condition: Condition;
  tokensPerSecond: number;
};

export interface OpenLoopFigures {
  offered: number;
  good: number;
  refused: number;
  /** How many of the refusals had Retry-After. */
  refusedWithRetryAfter: number;
  failed: number;
  unfinished: number;
  firstToken: Percentiles | null;
  interToken: Percentiles | null;
  endToEnd: Percentiles | null;
}

export interface OpenRow extends OpenLoopFigures {
  model: string;
  system: string;
  /** Share of the tokens per second that the system reached in a closed loop. */
  load: number;
  /** Mean arrivals per second, and for how many seconds. */
  perSecond: number;
  seconds: number;
}

export function emptyResults(base: Pick<Results, "command" | "machine" | "versions" | "settings">): Results {
  const started = new Date().toISOString();
  const engine = { decode: [], prefill: [], reuse: [], alone: [] };
  const serving = { closed: [], conditions: [], open: [] };
  return {
    format: 3,
    ...base,
    started,
    finished: null,
    models: [],
    systems: [],
    problems: [],
    ...engine,
    ...serving,
  };
}
