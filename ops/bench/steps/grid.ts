/** Parts of the grid that flags can set. */
interface GridOptions {
  quick: boolean;
  clients: number[] | undefined;
  repeats: number | undefined;
  seconds: number | undefined;
}

/** The measurements of one model. */
export type Grid = typeof FULL;

const FULL = {
  precisions: ["int8", "fp32"],
  batches: [1, 2, 4, 8, 16, 32, 64],
  /** Tokens in the cache, as shares of the window. */
  depths: [1 / 8, 1 / 2, 1],
  prefills: [16, 64, 128, 255],
  /** Time for one cell of the table of decode steps. */
  cellMilliseconds: 60,
  clients: [1, 4, 8, 16, 32, 64, 128],
  /** Whether our server is also measured with streams, and peers at which numbers of clients. */
  streams: true,
  peerStreams: [1, 8, 32],
  /** For the loop beside other work, and with questions that were asked before. */
  conditionClients: [1, 8, 32],
  repeats: 3,
  /** Repeats of peers (which take most of the time), of fp32 and of streaming. */
  fewRepeats: 2,
  seconds: 3,
  mostSeconds: 8,
  /** Open loop: shares of the closed loop's rate. */
  loads: [0.25, 0.5, 0.75, 1, 1.25, 1.5, 3],
  peerLoads: [0.5, 0.75, 1, 1.5],
  openSeconds: 6,
};

const QUICK: Grid = {
  precisions: ["int8"],
  batches: [1, 8, 32],
  depths: [1 / 8, 1],
  prefills: [64, 255],
  cellMilliseconds: 40,
  clients: [1, 8, 32],
  streams: true,
  peerStreams: [],
  conditionClients: [1, 8],
  repeats: 2,
  fewRepeats: 1,
  seconds: 1.5,
  mostSeconds: 5,
  loads: [0.5, 1, 2],
  peerLoads: [],
  openSeconds: 4,
};

/** For the second model, only measurements that its larger vocabulary may change. */
const SECOND: Partial<Grid> = {
  precisions: ["int8"],
  clients: [1, 8, 16, 32],
  streams: false,
  peerStreams: [],
  conditionClients: [],
  loads: [],
  peerLoads: [],
};

export function gridFor(options: GridOptions, isFirst: boolean): Grid {
  const grid = { ...(options.quick ? QUICK : FULL), ...(isFirst ? {} : SECOND) };
  const { clients = grid.clients, repeats = grid.repeats, seconds = grid.seconds } = options;
  return {
    ...grid,
    clients,
    conditionClients: options.clients ?? grid.conditionClients,
    repeats,
    fewRepeats: Math.min(repeats, grid.fewRepeats),
    seconds,
    mostSeconds: Math.max(seconds, grid.mostSeconds),
    openSeconds: options.seconds ?? grid.openSeconds,
    // A smaller --seconds shortens these measurements too.
    cellMilliseconds: Math.min(grid.cellMilliseconds, 100 * seconds),
  };
}
