import type { GrammarSource } from "../../workers/protocol.js";
import type { Finished, Task } from "../pool/pool.js";
import type { Timeouts } from "../queue/deadlines.js";
import type { Events } from "../streams/events.js";
import type { Reader } from "../texts/texts.js";

/** A request for text, read from its body. Nothing is tokenized yet, so refusing it costs nothing. */
export interface GenerationRequest {
  /** Number of sequences to generate. */
  sequences: number;
  /** Total characters of all prompts. */
  promptChars: number;
  /** The most tokens that each sequence may write. */
  maxTokens: number;
  stream: boolean;
  /** Higher starts sooner. Default: the caller's priority. */
  priority?: number | undefined;
  timeouts: Timeouts;
  /**
   * Tokenizes the prompts and makes a task for each sequence.
   * @throws PublicError for errors that openapi.yaml's schema can't express
   */
  prepare(id: string, reader: Reader): Promise<Prepared>;
}

/**
 * An operation that generates text: it reads bodies and writes answers. It knows no queue and no socket, so that
 * requests and jobs are the same to it.
 */
export interface Operation {
  /** Path in openapi.yaml. */
  readonly path: string;
  /**
   * Reads a body's fields; no other code does.
   * @param body validated against openapi.yaml, with its defaults filled in
   * @throws PublicError for errors that the schema can't express
   */
  parse(body: object): GenerationRequest;
}

/** A task whose form is not compiled yet. */
export interface Draft extends Omit<Task, "grammar"> {
  /** null means any text. */
  grammar: GrammarSource | null;
}

/** A request that is ready for the engine once its form is compiled. */
export interface Prepared {
  /** One task per sequence, in order. Their ids begin with the request's id. All have the same form. */
  tasks: Draft[];
  /** The whole response. @param outcomes of `tasks`, in the same order */
  answer(outcomes: readonly Finished[]): object;
  /** Makes the writer of a streamed response; each stream needs its own. */
  events(): Events;
}
