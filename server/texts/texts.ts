import type { Message } from "../../models/chat-template.js";
import { ModelError } from "../../models/files/error.js";
import type { ModelFolder } from "../../models/folder.js";
import { spellings } from "../../models/tokenizer/spellings.js";
import { UnknownCharacterError } from "../../models/tokenizer/unknown-character.js";
import type { FromReader, ToReader } from "../../workers/protocol.js";
import { invalidField, PublicError } from "../errors/errors.js";
import { Cancelled } from "../queue/refusal.js";
import { RoundRobin } from "../round-robin.js";
import { LimitedThread, type LimitedThreadOptions, TooMuch } from "../threads/limited-thread.js";
import { ToolPlaces, type ToolPlacesOptions } from "./tool-places.js";

/** Whose turn a piece of work takes, and when it is no longer wanted. */
export interface Asker {
  caller: string;
  /** Abandons the work; its reason is thrown. */
  signal?: AbortSignal;
}

/** Texts to tokens and back, for one asker. */
export interface Reader {
  /**
   * Ids of each text.
   * @param adds false leaves out what the tokenizer adds, such as a first token: the text is that of a chat template
   * @throws PublicError for a character that the model has no token for
   */
  encode(texts: readonly string[], adds?: boolean): Promise<number[][]>;
  /**
   * The model's input text, up to where the answer begins.
   * @throws ModelError if the template refuses the conversation, or needs too much time or memory for it
   * @throws PublicError if the model has no template
   */
  render(messages: readonly Message[]): Promise<string>;
  decode(ids: readonly number[]): Promise<string>;
  /** Each token's own text. */
  spell(ids: readonly number[]): Promise<string[]>;
}

export interface TextsOptions extends LimitedThreadOptions, Partial<ToolPlacesOptions> {
  model: Pick<ModelFolder, "tokenizer" | "chatTemplate">;
}

/** How many requests that have no place in the queue may be under way. */
const PLACES = 64;

type Answer = Exclude<FromReader, { type: "begun" }>;

interface Waiting {
  work: ToReader;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/** What this thread does itself, since a message to another takes as long: about a millisecond at most. */
const SHORT_CHARS = 512;
const SHORT_IDS = 1024;

const words = {
  slow: (seconds: number) => `The text takes longer than ${seconds} s to read`,
  large: "The text takes too much memory to read",
  ended: "the thread that reads texts has ended",
};

/**
 * Tokenizes and renders. Short texts are done at once; long ones in a thread of its own, one at a time, where callers
 * take turns. The line needs no bound for generations, which hold queue places. Other requests take a place here.
 */
export class Texts {
  readonly #model: TextsOptions["model"];
  readonly #places: ToolPlaces;
  readonly #thread: LimitedThread<ToReader, Answer>;
  readonly #waiting = new RoundRobin<Waiting>();
  #busy = false;
  #closed = false;

  constructor({ model, places = PLACES, several, ...options }: TextsOptions) {
    this.#model = model;
    this.#places = new ToolPlaces({ places, several });
    this.#thread = new LimitedThread(options, words);
  }

  /** Runs a caller's `work` while it holds one of the places. @throws PublicError if there is none for it */
  withPlace<T>(caller: string, work: () => Promise<T>): Promise<T> {
    return this.#places.hold(caller, work);
  }

  reader(asker: Asker): Reader {
    const { tokenizer, chatTemplate } = this.#model;
    return {
      encode: async (texts, adds = true) => {
        if (texts.reduce((sum, { length }) => sum + length, 0) <= SHORT_CHARS)
          return encodeHere(texts, adds, tokenizer);
        const { ids } = await this.#ask({ type: "encode", texts, adds }, "encoded", asker);
        return ids.map(numbers);
      },
      render: async (messages) => {
        if (chatTemplate === null) throw new PublicError("no_chat_template");
        const light = chatTemplate.renderLight(messages, { addGenerationPrompt: true });
        return light ?? (await this.#ask({ type: "render", messages }, "rendered", asker)).text;
      },
      decode: async (ids) =>
        ids.length <= SHORT_IDS
          ? tokenizer.decode(ids)
          : (await this.#ask({ type: "decode", ids }, "decoded", asker)).text,
      spell: async (ids) =>
        ids.length <= SHORT_IDS
          ? spellings(tokenizer, ids)
          : (await this.#ask({ type: "spell", ids }, "spelled", asker)).texts,
    };
  }

  /** Ends the thread; those who wait get Cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.takeAll()) reject(new Cancelled());
    await this.#thread.close();
  }

  async #ask<Type extends Answer["type"]>(
    work: ToReader,
    type: Type,
    { caller, signal }: Asker,
  ): Promise<Extract<Answer, { type: Type }>> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw new Cancelled();
      const leave = () => {
        this.#waiting.delete(caller, waiting);
        reject(signal?.reason);
      };
      const waiting: Waiting = { work, resolve, reject };
      this.#waiting.add(caller, waiting);
      signal?.addEventListener("abort", leave, { once: true });
      void this.#work();
    });
    if (answer.type === "refused")
      throw work.type === "encode" ? unknownCharacter(answer.reason) : new ModelError(answer.reason);
    if (answer.type !== type) throw new Error(`expected ${type}, got ${answer.type}`);
    return answer as Extract<Answer, { type: Type }>;
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let waiting = this.#waiting.next(); waiting; waiting = this.#waiting.next()) {
      try {
        waiting.resolve(await this.#thread.ask(waiting.work));
      } catch (error) {
        waiting.reject(this.#closed ? new Cancelled() : refusal(waiting.work, error));
      }
    }
    this.#busy = false;
  }
}

function encodeHere(
  texts: readonly string[],
  adds: boolean,
  tokenizer: Pick<ModelFolder["tokenizer"], "encode">,
): number[][] {
  try {
    return texts.map((text) => tokenizer.encode(text, adds));
  } catch (error) {
    throw error instanceof UnknownCharacterError ? unknownCharacter(error.message) : error;
  }
}

const unknownCharacter = (reason: string) => invalidField(["prompt"], reason);

/** Four times as fast as `Array.from`, which matters for some hundred thousand ids. */
function numbers(ids: Int32Array): number[] {
  const list = new Array<number>(ids.length);
  for (let at = 0; at < ids.length; at++) list[at] = ids[at]!;
  return list;
}

/** A text that takes too much is the sender's matter, not a failure of the server. */
function refusal({ type }: ToReader, error: unknown): unknown {
  if (!(error instanceof TooMuch)) return error;
  if (type === "render") return new ModelError(error.message);
  const loc = ["body", type === "encode" ? "prompt" : "tokens"];
  return new PublicError("invalid_body", {
    detail: [{ loc, msg: `Value error, ${error.message}`, type: "value_error" }],
  });
}
