import { Said } from "./said.js";

/** Most callers whose texts are remembered: 6 MiB in all. */
const MOST_CALLERS = 16;

/**
 * The earlier texts of each caller. Callers share nothing: by the time that an answer takes, a store for all would tell one caller what
 * another was told.
 */
export class Stores {
  readonly #said = new Map<string, Said>();

  /** The store of a caller. That of the caller who has asked for the longest time is forgotten for a new one. */
  of(caller: string): Said {
    const said = this.#said.get(caller) ?? new Said();
    this.#said.delete(caller);
    this.#said.set(caller, said);
    if (this.#said.size > MOST_CALLERS) this.#said.delete(this.#said.keys().next().value!);
    return said;
  }
}
