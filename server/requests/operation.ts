import type { GrammarSource } from "../../workers/protocol.js";
import type { Finished, Task } from "../pool/pool.js";
import type { Timeouts } from "../queue/deadlines.js";
import type { Events } from "../streams/events.js";

/** A request for text, read from its body. Nothing is computed for it yet, so that it can be refused at no cost. */
export interface GenerationRequest {
  /** How many sequences are generated for it. */
  sequences: number;
  /** Characters of all its prompts together. */
  promptChars: number;
  /** The most tokens that each sequence may write. */
  maxTokens: number;
  stream: boolean;
  /** Higher is sooner; the caller's own where absent. */
  priority?: number | undefined;
  timeouts: Timeouts;
  /**
   * Tokenizes the prompts and makes a task for each sequence.
   * @throws PublicError for what openapi.yaml can't say against a body
   */
  prepare(id: string): Prepared;
}

/**
 * An operation that generates text: how its bodies are read, and how it words the answer. It knows neither the queue nor
 * a socket, so that a request and a job are the same to it.
 */
export interface Operation {
  /** Its path in openapi.yaml. */
  readonly path: string;
  /**
   * The one place where a body's fields are read.
   * @param body has passed openapi.yaml's schema, whose defaults are in it
   * @throws PublicError for what the schema can't say against it
   */
  parse(body: object): GenerationRequest;
}

/** A task whose form is not compiled yet. */
export interface Draft extends Omit<Task, "grammar"> {
  /** null: any text. */
  grammar: GrammarSource | null;
}

/** A request, ready for the engine as soon as its form is compiled. */
export interface Prepared {
  /** A task for each sequence, in their order, with ids that begin with the request's. All have the same form. */
  tasks: Draft[];
  /** The whole response. `outcomes` are those of `tasks`, in the same order. */
  answer(outcomes: readonly Finished[]): object;
  /** Words the response as a stream; made for a single one. */
  events(): Events;
}
