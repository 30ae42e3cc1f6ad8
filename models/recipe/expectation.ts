import type { Demand, Field, Language, Register } from "./language.js";

/** What an answer must be. `check` reads it strictly. */
export interface Expectation {
  shape: "posting" | "list" | "value" | "words";
  place?: string;
  role?: string;
  demands?: readonly Demand[];
  /** Exactly these lines, or keys of a JSON object. */
  fields?: readonly Field[];
  /** The object's keys are the fields' names in English. */
  json?: "own" | "english";
  oneLine?: boolean;
  register?: Register;
  /** What its words say, by the language's signs. */
  sign?: keyof Language["signs"];
  includes?: readonly string[];
  ending?: string;
  /** These are the same as in the last posting before. */
  copies?: readonly Field[];
  /** It is one posting of a list before: its index. */
  nth?: number;
  /** The company is another one than before. */
  differs?: boolean;
}

export type Facts = Partial<Record<Field, string>>;
