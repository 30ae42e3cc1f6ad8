import type { Standing } from "./answer.js";

/** Where a chat shows what happens. */
export interface View {
  /** The model's text, as it comes. */
  text(piece: string): void;
  /** The end of an answer, or of what there is of it. */
  endText(): void;
  /** Waiting begins, or the place in the queue has changed. */
  wait(standing: Standing | null): void;
  endWait(): void;
  /** Something beside the conversation. */
  note(line: string): void;
  error(line: string): void;
}
