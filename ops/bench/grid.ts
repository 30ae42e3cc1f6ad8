import type { BenchOptions } from "./options.js";
import type { Precision } from "./results.js";

/** Everything that is measured of one model. */
export interface Grid {
  precisions: readonly Precision[];
  batches: readonly number[];
  /** Of the window. */
  depths: readonly number[];
  prefills: readonly number[];
  /** Of one cell of the table of decode steps. */
  cellMilliseconds: number;
  /** Prompts that join a batch. */
  joins: number;
  clients: readonly number[];
  /** Whether our server streams too, and at which numbers of clients peers do. */
  streams: boolean;
  peerStreams: readonly number[];
  repeats: number;
  /** Of peers, which take most of the time, of fp32 and of streaming. */
  fewRepeats: number;
  seconds: number;
  mostSeconds: number;
  /** Open loop: shares of the closed loop's rate. */
  loads: readonly number[];
  peerLoads: readonly number[];
  openSeconds: number;
}

const QUICK: Grid = {
  precisions: ["int8"],
  batches: [1, 8, 32],
  depths: [1 / 8, 1],
  prefills: [64, 255],
  cellMilliseconds: 40,
  joins: 8,
  clients: [1, 8, 32],
  streams: true,
  peerStreams: [],
  repeats: 2,
  fewRepeats: 1,
  seconds: 1.5,
  mostSeconds: 5,
  loads: [0.5, 1, 2],
  peerLoads: [],
  openSeconds: 4,
};

const FULL: Grid = {
  precisions: ["int8", "fp32"],
  batches: [1, 2, 4, 8, 16, 32, 64],
  depths: [1 / 8, 1 / 2, 1],
  prefills: [16, 64, 128, 255],
  cellMilliseconds: 60,
  joins: 24,
  clients: [1, 4, 8, 16, 32, 64, 128],
  streams: true,
  peerStreams: [1, 8, 32],
  repeats: 3,
  fewRepeats: 2,
  seconds: 3,
  mostSeconds: 8,
  loads: [0.25, 0.5, 0.75, 1, 1.25, 1.5, 3],
  peerLoads: [0.5, 0.75, 1, 1.5],
  openSeconds: 6,
};

/** Of the second model only what its larger vocabulary may change. */
const SECOND: Partial<Grid> = {
  precisions: ["int8"],
  clients: [1, 8, 16, 32],
  streams: false,
  peerStreams: [],
  loads: [],
  peerLoads: [],
};

export function gridFor(options: BenchOptions, isFirst: boolean): Grid {
  const grid = { ...(options.quick ? QUICK : FULL), ...(isFirst ? {} : SECOND) };
  const repeats = options.repeats ?? grid.repeats;
  const seconds = options.seconds ?? grid.seconds;
  return {
    ...grid,
    clients: options.clients ?? grid.clients,
    repeats,
    fewRepeats: Math.min(repeats, grid.fewRepeats),
    seconds,
    mostSeconds: Math.max(seconds, grid.mostSeconds),
    openSeconds: options.seconds ?? grid.openSeconds,
    // A shorter run by --seconds is shorter everywhere.
    cellMilliseconds: Math.min(grid.cellMilliseconds, 100 * seconds),
    joins: Math.max(1, Math.min(grid.joins, Math.ceil(10 * seconds))),
  };
}
