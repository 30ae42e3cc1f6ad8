/**
 * The most of something that one caller may hold. With several callers it is half, so that none alone takes what the
 * others need.
 */
export const shareOf = (limit: number, several: boolean): number => (several ? Math.ceil(limit / 2) : limit);

/** How much each caller holds, and how much all hold together. */
export class Holdings {
  readonly #held = new Map<string, number>();
  #sum = 0;

  get sum(): number {
    return this.#sum;
  }

  of(caller: string): number {
    return this.#held.get(caller) ?? 0;
  }

  take(caller: string, amount = 1): void {
    this.#sum += amount;
    this.#held.set(caller, this.of(caller) + amount);
  }

  give(caller: string, amount = 1): void {
    this.#sum -= amount;
    const left = this.of(caller) - amount;
    if (left === 0) this.#held.delete(caller);
    else this.#held.set(caller, left);
  }
}
