import type { PublicError } from "../../errors/errors.js";
import type { Standing } from "../../queue/ticket.js";
import { event } from "../../streams/event-response.js";
import type { Delta, Events } from "../../streams/events.js";

/** The event stream described by GenerationEvents in openapi.yaml. */
export class NativeEvents implements Events {
  readonly #sequences: number;

  constructor(sequences: number) {
    this.#sequences = sequences;
  }

  begin(): string {
    return "";
  }

  queue({ position, expectedWait }: Standing): string {
    return event({ position, expected_wait: expectedWait }, { name: "queue" });
  }

  delta(sequence: number, { text, tokens }: Delta): string {
    return event({ ...(this.#sequences > 1 && { index: sequence }), text, tokens });
  }

  end(): string {
    return "";
  }

  done(answer: object): string {
    return event(answer, { name: "done" });
  }

  fail({ body }: PublicError): string {
    return event(body, { name: "error" });
  }
}
