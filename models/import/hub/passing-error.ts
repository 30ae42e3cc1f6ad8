/** A failure that may not happen next time, such as a broken connection. */
export class PassingError extends Error {
  constructor(
    message: string,
    /** The wait that the server asks for; null if it asks for none. */
    readonly waitMs: number | null = null,
  ) {
    super(message);
  }
}
