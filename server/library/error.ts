/**
 * Why a generation failed:
 * `invalid_options` an option has a value that it doesn't take, or no text can have the form that is asked for;
 * `queue_full` as many generations wait as may;
 * `closed` the model is closed, or is being closed;
 * `deadline_exceeded` one of its timeouts has passed;
 * `worker_lost` the thread that ran it has died, and another starts;
 * `generation_failed` it went wrong in its thread, which is well.
 */
export type JaiErrorCode =
  | "invalid_options"
  | "queue_full"
  | "closed"
  | "deadline_exceeded"
  | "worker_lost"
  | "generation_failed";

/** Why a generation failed; the message is one line. */
export class JaiError extends Error {
  override name = "JaiError";

  constructor(
    readonly code: JaiErrorCode,
    message: string,
  ) {
    super(message);
  }
}
