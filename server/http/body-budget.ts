/** Bodies up to this size always have room: connections are bounded, so their sum is too. */
const SMALL = 16 * 1024;

/** One body's share of the budget. */
export interface BodyShare {
  /** Takes room for more bytes. False if there is none. */
  take(bytes: number): boolean;
  /** The body has arrived: it keeps its room, and does not have to make room for others any more. */
  arrived(): void;
  /** Gives all of its room back. */
  release(): void;
}

/**
 * Bounds the bytes of all bodies that the process holds, from their first byte to the end of their answer. When there
 * is no room, the body that has been arriving the longest makes room: it is most likely one that is slow on purpose.
 */
export class BodyBudget {
  readonly #most: number;
  /** Bodies that still arrive, the oldest first. */
  readonly #arriving = new Set<{ bytes: number; refuse: () => void }>();
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param refuse is called once if the body has to make room; it must let go of the bytes */
  open(refuse: () => void): BodyShare {
    const share = { bytes: 0, refuse };
    this.#arriving.add(share);
    const release = () => {
      this.#arriving.delete(share);
      this.#bytes -= share.bytes;
      share.bytes = 0;
    };
    return {
      take: (bytes) => {
        share.bytes += bytes;
        this.#bytes += bytes;
        if (this.#bytes > this.#most) this.#makeRoom(share);
        return this.#bytes <= this.#most || share.bytes <= SMALL;
      },
      arrived: () => void this.#arriving.delete(share),
      release,
    };
  }

  #makeRoom(newest: object): void {
    for (const share of this.#arriving) {
      if (this.#bytes <= this.#most) return;
      if (share === newest || share.bytes <= SMALL) continue;
      this.#arriving.delete(share);
      this.#bytes -= share.bytes;
      share.bytes = 0;
      share.refuse();
    }
  }
}
