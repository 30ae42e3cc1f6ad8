import type { Node } from "../nodes/node.js";

/** What may still come: `node`, `min` to `max` times if it is repeated, and then `next`. */
export interface Rest {
  id: number;
  node: Node;
  min: number;
  max: number;
  /** Null: the end. */
  next: Rest | null;
  /** As `Node.least`. */
  least: number;
  /** All that it can begin with, each beginning with a byte; null until it is needed. */
  heads: Heads | null;
  /** The state in which this alone may come; null until it is needed. */
  state: State | null;
}

export interface Heads {
  rests: readonly Rest[];
  /** Whether nothing more has to come. */
  ends: boolean;
  /** How many rests were looked at to find them: rules that only lead to other rules are many for one head. */
  unfolded: number;
}

/** The state after some text: what may come next. */
export interface State {
  /** All that may come, each beginning with a byte. */
  readonly rests: readonly Rest[];
  /** Whether the text may end here. */
  readonly accepts: boolean;
  /** The bytes of the shortest text that ends from here. */
  readonly least: number;
  /** The next state by class of byte: null if such a byte can't come, undefined until it is needed. */
  readonly next: (State | null | undefined)[];
  /** By class of byte, how much work it was to find `next`, and in which walk that was last counted. */
  readonly work: number[];
  readonly counted: number[];
  /** Notes of `Program`: the tokens that may come, as a text's first or later ones, and whether the text can end. */
  walks: { first?: Walk; later?: Walk; firstLive?: Walk; laterLive?: Walk };
  live: boolean | undefined;
}

/** Result of a walk: the tokens that may come, and the states that they lead to. */
export interface Walk {
  /** A bit for each token. */
  mask: Int32Array;
  states: readonly State[];
}
