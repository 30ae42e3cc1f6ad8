/** A failure that may not happen next time, such as a broken connection. */
export class PassingError extends Error {
  constructor(
    message: string,
    /** What the server asks to wait; null where it says nothing. */
    readonly waitMs: number | null = null,
  ) {
    super(message);
  }
}
