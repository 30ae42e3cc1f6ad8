/** One owner's items. */
interface Own<T> {
  items: Set<T>;
  /** Stands before the first item. A new iterator would step over all that were deleted, each time. */
  head: Iterator<T>;
}

/** A line in which owners (callers, connections) take turns. The items of one owner are first come, first served. */
export class RoundRobin<T, Owner = string> {
  /** By owner, in the order of their turns; none is empty. */
  readonly #waiting = new Map<Owner, Own<T>>();

  add(owner: Owner, item: T): void {
    const known = this.#waiting.get(owner);
    if (known !== undefined) {
      known.items.add(item);
      return;
    }
    const items = new Set([item]);
    this.#waiting.set(owner, { items, head: items.values() });
  }

  delete(owner: Owner, item: T): void {
    const items = this.#waiting.get(owner)?.items;
    if (items?.delete(item) && items.size === 0) this.#waiting.delete(owner);
  }

  /**
   * Takes the next item of the owner whose turn it is. That owner's next turn comes after all others have had theirs. The time
   * grows with the number of owners that may not have a turn.
   */
  next(may: (owner: Owner) => boolean = () => true): T | undefined {
    for (const [owner, own] of this.#waiting) {
      if (!may(owner)) continue;
      const item = own.head.next().value as T;
      own.items.delete(item);
      this.#waiting.delete(owner);
      if (own.items.size > 0) this.#waiting.set(owner, own);
      return item;
    }
    return undefined;
  }

  /** Empties the line. */
  *takeAll(): Generator<T> {
    for (let item = this.next(); item !== undefined; item = this.next()) yield item;
  }
}
