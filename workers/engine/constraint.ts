/** The text can't be held to the form that its request asks for. */
export class ConstraintError extends Error {
  override name = "ConstraintError";
}

/** Which tokens may come next in a sequence whose text has to have a form. */
export interface Constraint {
  /**
   * A bit for each token, set where it may come next: Int32Array [vocabulary / 32 rounded up], valid until `accept`.
   * Those of the end-of-sequence tokens are set where the text may end.
   * @throws ConstraintError
   */
  allowed(): Int32Array;
  /** Takes the next token, which must be an allowed one. */
  accept(token: number): void;
  /** Nothing but the end can follow. */
  readonly complete: boolean;
}
