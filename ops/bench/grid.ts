import type { BenchOptions } from "./options.js";

/** What is measured of one model. */
export interface Grid {
  precisions: readonly ("int8" | "fp32")[];
  batches: readonly number[];
  /** Of the window. */
  depths: readonly number[];
  prefills: readonly number[];
  /** Of one cell of the table of decode steps. */
  cellMilliseconds: number;
  joins: number;
  clients: readonly number[];
  /** Where our server streams, and where peers do. */
  streamed: { ours: readonly number[]; peers: readonly number[] };
  repeats: number;
  /** Of what is not compared with anything: fp32, and our streaming. */
  fewRepeats: number;
  /** Peers' repeats take most of the time: so many at these numbers of clients, one at others. */
  peerRepeats: number;
  peerRepeated: readonly number[];
  seconds: number;
  mostSeconds: number;
  /** Open loop: shares of the closed loop's rate. */
  loads: { ours: readonly number[]; peers: readonly number[] };
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
  streamed: { ours: [1, 8, 32], peers: [] },
  repeats: 2,
  fewRepeats: 1,
  peerRepeats: 1,
  peerRepeated: [],
  seconds: 1.5,
  mostSeconds: 5,
  loads: { ours: [0.5, 1, 2], peers: [] },
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
  streamed: { ours: [1, 4, 8, 16, 32, 64, 128], peers: [1, 8, 32] },
  repeats: 3,
  fewRepeats: 2,
  peerRepeats: 2,
  peerRepeated: [1, 8, 16, 32],
  seconds: 3,
  mostSeconds: 8,
  loads: { ours: [0.25, 0.5, 0.75, 1, 1.25, 1.5, 3], peers: [0.5, 0.75, 1, 1.5] },
  openSeconds: 6,
};

/** Of the second model: what its larger vocabulary may change. */
const SECOND: Partial<Grid> = {
  precisions: ["int8"],
  clients: [1, 8, 16, 32],
  streamed: { ours: [], peers: [] },
  loads: { ours: [], peers: [] },
};

export function gridFor(options: BenchOptions, which: "first" | "second"): Grid {
  const base = options.quick ? QUICK : FULL;
  const grid = which === "second" ? { ...base, ...SECOND } : base;
  const clients = options.clients ?? grid.clients;
  const repeats = options.repeats ?? grid.repeats;
  const seconds = options.seconds ?? grid.seconds;
  return {
    ...grid,
    clients,
    streamed:
      options.clients === null
        ? grid.streamed
        : { ours: clients, peers: clients.filter((one) => grid.streamed.peers.includes(one)) },
    repeats,
    fewRepeats: Math.min(repeats, grid.fewRepeats),
    peerRepeats: Math.min(repeats, grid.peerRepeats),
    seconds,
    mostSeconds: Math.max(seconds, grid.mostSeconds),
    openSeconds: options.seconds ?? grid.openSeconds,
    // A shorter run by --seconds is shorter everywhere.
    cellMilliseconds: Math.min(grid.cellMilliseconds, 100 * seconds),
    joins: Math.max(1, Math.min(grid.joins, Math.ceil(10 * seconds))),
  };
}
