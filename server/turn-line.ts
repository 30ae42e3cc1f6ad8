/** One owner's items. */
interface Own<T> {
  items: Set<T>;
  /** Stands before the first item. A new iterator would step over all that were deleted, each time. */
  head: Iterator<T>;
}

/** A line in which owners take turns, such as callers or hosts; what one owner has in it is first come, first served. */
export class TurnLine<T, Owner = string> {
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
   * Takes the next of the owner whose turn it is. The owner's turn after that comes when all others have had one. It takes
   * as long as there are owners that may not.
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
