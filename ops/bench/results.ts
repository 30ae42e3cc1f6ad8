import type { ClosedLoopFigures } from "./closed-loop.js";
import type { FirstTokenFigures } from "./engine/first-token.js";
import type { JoiningFigures } from "./engine/joining.js";
import type { DecodeFigures, PrefillFigures } from "./engine/steps.js";
import type { Machine, Versions } from "./machine.js";
import type { OpenLoopFigures } from "./open-loop.js";

/** Our own system's name, among the peers'. */
export const OURS = "jai-server";

export type Precision = "int8" | "fp32";

/** Everything that a run measured, as `results.json` holds it. Rows of repeats stand apart; reports take medians. */
export interface Results {
  format: 1;
  command: string;
  /** ISO 8601; `finished` is null until the run has ended. */
  started: string;
  finished: string | null;
  machine: Machine;
  versions: Versions;
  settings: RunSettings;
  models: ModelRow[];
  systems: SystemRow[];
  problems: ProblemRow[];
  decode: DecodeRow[];
  prefill: PrefillRow[];
  joining: JoiningRow[];
  firstToken: FirstTokenRow[];
  again: AgainRow[];
  memory: MemoryRow[];
  alone: AloneRow[];
  peerEngines: PeerEngineRow[];
  closed: ClosedRow[];
  open: OpenRow[];
}

export interface RunSettings {
  threads: number;
  /** Of every answer in a closed loop, where the system is fast enough. */
  tokens: number;
  repeats: number;
  /** Least length of one closed-loop measurement, and the longest that one request of every client may take. */
  seconds: number;
  mostSeconds: number;
  /** The names that llama.cpp servers were given. */
  llamaServers: string[];
  bounds: { firstTokenMs: number; meanInterTokenMs: number };
}

export interface ModelRow {
  name: string;
  layers: number;
  width: number;
  heads: number;
  context: number;
  vocabulary: number;
}

interface Cell {
  model: string;
  repeat: number;
}

/** What a system ran with. */
export interface SystemRow {
  model: string;
  system: string;
  clients: number;
  settings: string;
}

/** What could not be measured, and why. */
export interface ProblemRow {
  model: string;
  system: string;
  /** Null: with any number of clients. */
  clients: number | null;
  reason: string;
}

export type DecodeRow = Cell & { precision: Precision } & DecodeFigures;
export type PrefillRow = Cell & { precision: Precision } & PrefillFigures;
export type JoiningRow = Cell & JoiningFigures;
/** `http`: of a lone request over HTTP, median milliseconds. */
export type FirstTokenRow = Cell & FirstTokenFigures & { http: number };
/** Milliseconds to the first token of a prompt, and of another that begins with the same `shared` tokens right after it. */
export type AgainRow = Cell & { shared: number; first: number; again: number };

export interface MemoryRow extends Cell {
  /** Resident bytes of the engine's process with so many full slots. */
  resident: { slots: number; bytes: number }[];
  cacheBytesPerSlot: number;
}

/** The closed loop on the engine alone. */
export type AloneRow = Cell & { clients: number; tokensPerSecond: number };

/** Decoding in a peer's engine without its server, from a quarter to a half of the window. */
export type PeerEngineRow = Cell & { system: string; batch: number; tokensPerSecond: number };

export type ClosedRow = Cell &
  ClosedLoopFigures & {
    system: string;
    clients: number;
    stream: boolean;
    /** Of every answer. */
    tokens: number;
  };

export type OpenRow = Omit<Cell, "repeat"> &
  OpenLoopFigures & {
    system: string;
    /** Of the tokens per second that the system reached in a closed loop. */
    load: number;
    /** Requests per second that arrived, on average, for so many seconds. */
    perSecond: number;
    seconds: number;
  };

export function emptyResults(base: Pick<Results, "command" | "machine" | "versions" | "settings">): Results {
  return {
    format: 1,
    started: new Date().toISOString(),
    finished: null,
    ...base,
    models: [],
    systems: [],
    problems: [],
    decode: [],
    prefill: [],
    joining: [],
    firstToken: [],
    again: [],
    memory: [],
    alone: [],
    peerEngines: [],
    closed: [],
    open: [],
  };
}
