/** What may go better next time, such as a connection that broke. */
export class PassingError extends Error {
  constructor(
    message: string,
    /** What the server asks to wait; null where it says nothing. */
    readonly waitMs: number | null = null,
  ) {
    super(message);
  }
}
