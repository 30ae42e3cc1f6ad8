/** A line in which owners take turns, such as callers or hosts; what one owner has in it is first come, first served. */
export class TurnLine<T> {
  /** By owner, in the order of their turns; none is empty. */
  readonly #waiting = new Map<string, Set<T>>();

  add(owner: string, item: T): void {
    const own = this.#waiting.get(owner) ?? new Set();
    this.#waiting.set(owner, own.add(item));
  }

  delete(owner: string, item: T): void {
    const own = this.#waiting.get(owner);
    if (own?.delete(item) && own.size === 0) this.#waiting.delete(owner);
  }

  /**
   * Takes the next of the owner whose turn it is. The owner's turn after that comes when all others have had one. It takes
   * as long as there are owners that may not.
   */
  next(may: (owner: string) => boolean = () => true): T | undefined {
    for (const [owner, own] of this.#waiting) {
      if (!may(owner)) continue;
      const item = own.values().next().value as T;
      own.delete(item);
      this.#waiting.delete(owner);
      if (own.size > 0) this.#waiting.set(owner, own);
      return item;
    }
    return undefined;
  }

  /** Empties the line. */
  *takeAll(): Generator<T> {
    for (let item = this.next(); item !== undefined; item = this.next()) yield item;
  }
}
