import type { Expectation } from "./expectation.js";

/** A question, and its answer with marks (`marks.ts`). */
export interface Turn {
  question: string;
  answer: string;
  expect: Expectation;
}

/** The subjects of turns. The ones with `~` take up what was said before. */
export const ACTIONS = [
  "ask",
  "demand",
  "demands",
  "whether",
  "field",
  "place",
  "role",
  "unknown",
  "talk",
  "json",
  "jsonWhole",
  "~place",
  "~role",
  "~demand",
  "~field",
  "~another",
  "~nth",
  "~json",
  "~jsonWhole",
] as const;
export type Action = (typeof ACTIONS)[number];
