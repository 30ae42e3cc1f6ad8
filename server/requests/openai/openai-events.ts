import type { PublicError } from "../../errors/errors.js";
import { openAiError } from "../../errors/openai-error.js";
import type { Finished } from "../../pool/pool.js";
import type { Standing } from "../../queue/ticket.js";
import { event } from "../../streams/event-response.js";
import type { Delta, Events } from "../../streams/events.js";

/** Writes one choice of a streamed response. Each method returns the choice objects of the next chunks. */
export interface ChoiceEvents {
  delta(delta: Delta): object[];
  /** Called when all text was passed to `delta`. */
  end(outcome: Finished): object[];
}

export interface OpenAiEventsParts {
  /** Fields that all chunks have: id, object, created, model. */
  head: object;
  choices: readonly ChoiceEvents[];
  /** Send the usage in a chunk of its own. */
  includeUsage: boolean;
}

/**
 * The stream of OpenAI's API: unnamed chunks and `[DONE]`. Queue positions, for which the API has no chunk, are
 * comments.
 */
export class OpenAiEvents implements Events {
  readonly #head: object;
  readonly #choices: readonly ChoiceEvents[];
  readonly #includeUsage: boolean;

  constructor({ head, choices, includeUsage }: OpenAiEventsParts) {
    this.#head = head;
    this.#choices = choices;
    this.#includeUsage = includeUsage;
  }

  begin(): string {
    return "";
  }

  queue({ position, expectedWait }: Standing): string {
    return `: queue ${JSON.stringify({ position, expected_wait: expectedWait })}\n\n`;
  }

  delta(sequence: number, delta: Delta): string {
    return this.#chunks(sequence, this.#choices[sequence]!.delta(delta));
  }

  end(sequence: number, outcome: Finished): string {
    return this.#chunks(sequence, this.#choices[sequence]!.end(outcome));
  }

  done(answer: object): string {
    const { usage } = answer as { usage: object };
    const last = this.#includeUsage ? event({ ...this.#head, choices: [], usage }) : "";
    return `${last}data: [DONE]\n\n`;
  }

  fail(error: PublicError): string {
    return event(openAiError(error));
  }

  #chunks(index: number, choices: readonly object[]): string {
    return choices
      .map((choice) =>
        event({
          ...this.#head,
          choices: [{ index, ...choice }],
          // OpenAI's chunks have `usage: null` before the one with the usage.
          ...(this.#includeUsage && { usage: null }),
        }),
      )
      .join("");
  }
}
