/** Counts the used bytes of the store. Existing records may outgrow the limit, but nothing new is accepted then. */
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

/** Bytes of a record beside its texts: keys, the index in memory, the store's overhead. */
const OVERHEAD_BYTES = 1024;

export function sizeOf(...texts: string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), OVERHEAD_BYTES);
}
