/** How much of the room on disk is taken. What is already kept may outgrow it; nothing new is taken in then. */
export class Space {
  #used = 0;

  constructor(readonly limit: number) {}

  get used(): number {
    return this.#used;
  }

  get full(): boolean {
    return this.#used >= this.limit;
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

/** Bytes that a record costs beside its texts: keys, the index in memory, the store's own book-keeping. */
const OVERHEAD_BYTES = 1024;

export function sizeOf(...texts: string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), OVERHEAD_BYTES);
}
