/** Adds up the time that methods take, by wrapping them in place: for a process that does nothing but measure. */
export class Ledger<Name extends string> {
  readonly #spent = new Map<Name, number>();

  /** Wraps a method that returns or, where it is asynchronous, whose promise blocks the thread until it resolves. */
  watch<Method extends string>(
    name: Name,
    prototype: Record<Method, (...args: never[]) => unknown>,
    method: Method,
  ): void {
    const original = prototype[method] as (...args: unknown[]) => unknown;
    const enter = (started: number) => {
      this.#spent.set(name, (this.#spent.get(name) ?? 0) + performance.now() - started);
    };
    prototype[method] = function (this: unknown, ...args: unknown[]) {
      const started = performance.now();
      const result = original.apply(this, args);
      if (result instanceof Promise) return result.finally(() => enter(started));
      enter(started);
      return result;
    };
  }

  /** Milliseconds since the last call, by name. */
  take(name: Name): number {
    const spent = this.#spent.get(name) ?? 0;
    this.#spent.delete(name);
    return spent;
  }
}
