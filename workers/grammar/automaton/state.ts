import type { Node } from "../nodes/node.js";

/** What is still to come: `node`, `min` to `max` times if it is repeated, and then `next`. */
export interface Rest {
  id: number;
  node: Node;
  min: number;
  max: number;
  /** Null: the end. */
  next: Rest | null;
  /** As `Node.least`. */
  least: number;
  /** All that it can begin with, each beginning with a byte, once it was asked for. */
  heads: Heads | null;
  /** The state in which this alone is to come, once it was asked for. */
  state: State | null;
}

export interface Heads {
  rests: readonly Rest[];
  /** Whether it can be nothing, up to the end. */
  ends: boolean;
}

/** After some text: what may come next. */
export interface State {
  /** All that may come, each beginning with a byte. */
  readonly rests: readonly Rest[];
  /** Whether the text may end here. */
  readonly accepts: boolean;
  /** The bytes of the shortest text that ends from here. */
  readonly least: number;
  /** By class of byte; null where such a byte can't come. Those not yet asked for are not there. */
  readonly next: (State | null | undefined)[];
  /** By class of byte, how much work it was to find `next`, and in which walk that was last counted. */
  readonly work: number[];
  readonly counted: number[];
  /** What `Program` finds out about it: the tokens that may come, as a text's first and later, and whether it can end. */
  walks: { first?: Walk; later?: Walk; firstLive?: Walk; laterLive?: Walk };
  live: boolean | undefined;
}

/** What a walk finds: the tokens that may come, and the states that they lead to. */
export interface Walk {
  /** A bit for each token. */
  mask: Int32Array;
  states: readonly State[];
}
