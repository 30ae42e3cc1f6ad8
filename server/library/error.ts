/**
 * Why a generation failed:
 * `invalid_options` an option has an invalid value, or no text can have the requested form;
 * `queue_full` the queue is full (`queueLimit`);
 * `closed` the model is closed or closing;
 * `deadline_exceeded` one of the generation's timeouts has passed;
 * `worker_lost` its thread died twice with it, or its rerun wrote another text;
 * `generation_failed` it failed in its thread, which goes on running.
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
