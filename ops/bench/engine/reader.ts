import { workerData } from "node:worker_threads";

/** The byte that is searched for and that no buffer holds: a search that finds nothing reads everything. */
export const NOTHING = 0;

/** Elements of the state that all threads share. */
export const State = {
  /** 0 while nothing is to be read; then ever higher, once for each time that the buffer is to be read. */
  round: 0,
  /** Parts read by workers since the round was 0. */
  done: 1,
} as const;

export interface ReaderData {
  bytes: Uint8Array;
  state: Int32Array;
  /** Which of the threads' parts it reads. */
  index: number;
  threads: number;
}

export function readPart(bytes: Uint8Array, index: number, threads: number): void {
  const part = Math.ceil(bytes.length / threads);
  const view = bytes.subarray(index * part, (index + 1) * part);
  const place = Buffer.from(view.buffer, view.byteOffset, view.length).indexOf(NOTHING);
  if (place >= 0) throw new Error(`expected no ${NOTHING} in the buffer, got one at ${place}`);
}

function read({ bytes, state, index, threads }: ReaderData): never {
  let seen = 0;
  for (;;) {
    Atomics.wait(state, State.round, 0);
    for (
      let round = Atomics.load(state, State.round);
      round !== 0;
      round = Atomics.load(state, State.round)
    ) {
      if (round === seen) continue;
      seen = round;
      readPart(bytes, index, threads);
      Atomics.add(state, State.done, 1);
    }
  }
}

// The main thread imports this file for its own part.
if (workerData !== null) read(workerData as ReaderData);
