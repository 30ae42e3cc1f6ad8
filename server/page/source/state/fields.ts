/** A control that holds a number, or nothing for the server's default. */
export interface NumberField {
  name: NumberName;
  min: number;
  /** The largest value that makes sense; the server has the final word. */
  max: number;
  step: number;
  whole?: boolean;
  /** What the server takes if the field is empty. */
  otherwise?: string;
  only?: Mode;
}

export type Mode = "chat" | "completion";
export type NumberName =
  | "temperature"
  | "top_p"
  | "max_tokens"
  | "seed"
  | "n"
  | "top_k"
  | "min_p"
  | "typical_p"
  | "repetition_penalty"
  | "presence_penalty"
  | "frequency_penalty"
  | "min_tokens"
  | "best_of"
  | "priority"
  | "timeout_queue"
  | "timeout_first_token"
  | "timeout_stall"
  | "timeout_total";

const MOST_SEED = Number.MAX_SAFE_INTEGER;

/** The controls that are always in sight. */
export const usualFields: readonly NumberField[] = [
  { name: "temperature", min: 0, max: 2, step: 0.05, otherwise: "1" },
  { name: "top_p", min: 0, max: 1, step: 0.01, otherwise: "1" },
  { name: "max_tokens", min: 0, max: 4096, step: 1, whole: true },
  { name: "n", min: 1, max: 16, step: 1, whole: true, otherwise: "1" },
  { name: "seed", min: -MOST_SEED, max: MOST_SEED, step: 1, whole: true },
];

export const choosingFields: readonly NumberField[] = [
  { name: "top_k", min: -1, max: 100_000, step: 1, whole: true, otherwise: "0" },
  { name: "min_p", min: 0, max: 1, step: 0.01, otherwise: "0" },
  { name: "typical_p", min: 0, max: 1, step: 0.01, otherwise: "1" },
  { name: "repetition_penalty", min: 0, max: 100, step: 0.05, otherwise: "1" },
  { name: "presence_penalty", min: -2, max: 2, step: 0.1, otherwise: "0" },
  { name: "frequency_penalty", min: -2, max: 2, step: 0.1, otherwise: "0" },
];

export const endingFields: readonly NumberField[] = [
  { name: "min_tokens", min: 0, max: 4096, step: 1, whole: true, otherwise: "0" },
  { name: "best_of", min: 1, max: 16, step: 1, whole: true, only: "completion" },
];

export const waitingFields: readonly NumberField[] = [
  { name: "priority", min: -10, max: 10, step: 1, whole: true, otherwise: "0" },
  { name: "timeout_queue", min: 0, max: 86_400, step: 1 },
  { name: "timeout_first_token", min: 0, max: 86_400, step: 1 },
  { name: "timeout_stall", min: 0, max: 86_400, step: 1 },
  { name: "timeout_total", min: 0, max: 86_400, step: 1 },
];

export const allFields: readonly NumberField[] = [
  ...usualFields,
  ...choosingFields,
  ...endingFields,
  ...waitingFields,
];
