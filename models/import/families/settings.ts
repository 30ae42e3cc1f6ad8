import { ImportError } from "../checkpoint/error.js";
import { describe, type Value } from "../checkpoint/pickle.js";

/** Settings of a checkpoint, or of the config file beside it. Each is checked when it is read. */
export class Settings {
  /**
   * @param file that messages name
   * @param name of the settings, for messages, such as `model_args`
   */
  constructor(
    readonly file: string,
    readonly name: string,
    readonly values: ReadonlyMap<Value, Value>,
  ) {}

  has(key: string): boolean {
    return (this.values.get(key) ?? null) !== null;
  }

  /** A whole number from 1. @param fallback taken where it is missing; without it that is an error */
  size(key: string, fallback?: number): number {
    const value = this.#valueOf(key, fallback);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
    throw this.#unexpected(key, "a whole number from 1", value);
  }

  /** A whole number from 0. */
  count(key: string, fallback?: number): number {
    const value = this.#valueOf(key, fallback);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.#unexpected(key, "a whole number from 0", value);
  }

  /** A positive number. */
  number(key: string, fallback?: number): number {
    const value = this.#valueOf(key, fallback);
    if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
    throw this.#unexpected(key, "a positive number", value);
  }

  /** A number from 0 to 1. */
  fraction(key: string, fallback?: number): number {
    const value = this.#valueOf(key, fallback);
    if (typeof value === "number" && value >= 0 && value <= 1) return value;
    throw this.#unexpected(key, "a number from 0 to 1", value);
  }

  flag(key: string, fallback?: boolean): boolean {
    const value = this.#valueOf(key, fallback);
    if (typeof value === "boolean") return value;
    throw this.#unexpected(key, "True or False", value);
  }

  text(key: string, fallback?: string): string {
    const value = this.#valueOf(key, fallback);
    if (typeof value === "string") return value;
    throw this.#unexpected(key, "a text", value);
  }

  /** A word for each layer. @param known the words that there are, repeated over the layers where the setting is missing */
  texts(key: string, known: readonly string[], layers: number): string[] {
    const value =
      this.values.get(key) ?? Array.from({ length: layers }, (_, layer) => known[layer % known.length]!);
    if (
      Array.isArray(value) &&
      value.length === layers &&
      value.every((word) => known.includes(word as string))
    )
      return value as string[];
    throw this.#unexpected(
      key,
      `a list of ${layers} of ${known.map((word) => JSON.stringify(word)).join(" and ")}`,
      value,
    );
  }

  /** One of the known values. @param known from the file's words to ours */
  oneOf<T>(key: string, known: Readonly<Record<string, T>>, fallback?: string): T {
    const value = this.text(key, fallback);
    if (Object.hasOwn(known, value)) return known[value]!;
    throw this.#unexpected(
      key,
      Object.keys(known)
        .map((word) => JSON.stringify(word))
        .join(" or "),
      value,
    );
  }

  /** Refuses what this server does not compute. @param expected the value without it */
  refuse(key: string, expected: Value): void {
    const value = this.values.get(key) ?? null;
    if (value === null || value === expected) return;
    throw this.#unexpected(key, `${describe(expected)}, the only form that this server computes`, value);
  }

  /** Settings within these; null where there are none. */
  inner(key: string): Settings | null {
    const value = this.values.get(key) ?? null;
    if (value === null) return null;
    if (value instanceof Map) return new Settings(this.file, `${this.name}.${key}`, value);
    throw this.#unexpected(key, "a dict", value);
  }

  #valueOf(key: string, fallback: Value | undefined): Value | undefined {
    return this.values.get(key) ?? fallback;
  }

  #unexpected(key: string, expected: string, value: Value | undefined): ImportError {
    const got = value === undefined ? "nothing" : describe(value);
    return new ImportError(this.file, `expected ${key} in ${this.name} to be ${expected}, got ${got}`);
  }
}
