import { PLACES } from "../../../models/recipe/korean/places.js";
import { ROLES } from "../../../models/recipe/korean/roles.js";
import { Random } from "../../../models/recipe/random.js";
import type { Reading } from "./reading.js";
import type { BenchRequest } from "./system.js";

/** Sampling parameters, the same for all systems. */
export const SAMPLING = { temperature: 0.8, topK: 50 };

const WISHES = [
  "채용 있어?",
  "공고 알려줘.",
  "신입도 지원할 수 있어?",
  "연봉이 얼마야?",
  "재택이 가능해?",
  "마감이 언제야?",
];

/** Questions that `askedBefore` asks again and again. */
const ASKED = 24;

interface Prompt {
  text: string;
  ids: number[];
}

/**
 * Questions like those to a JAI model. All prompts differ, so that no system can reuse the
 * computation for an earlier one, except for the template's few tokens.
 */
export class Prompts {
  readonly #reading: Reading;
  readonly #random: Random;
  #requests = 0;
  readonly #asked: string[] = [];

  constructor(reading: Reading, seed: number) {
    this.#reading = reading;
    this.#random = new Random(seed);
  }

  /** A request with one question (20 to 30 tokens of JAI's tokenizer), or with a prompt of about `promptTokens`. */
  request(maxTokens: number, stream: boolean, promptTokens?: number): BenchRequest {
    const question = promptTokens === undefined ? this.#sentence() : this.#words(promptTokens);
    return this.#ask(question, maxTokens, stream);
  }

  /** A request with one of a few questions, always the same, each time with another seed. */
  askedBefore(maxTokens: number): BenchRequest {
    while (this.#asked.length < ASKED) this.#asked.push(this.#sentence());
    return this.#ask(this.#asked[this.#requests % ASKED]!, maxTokens, false);
  }

  /** Two requests whose prompts share about the first `shared` tokens and differ at the end. */
  twins(maxTokens: number, stream: boolean, shared: number): [BenchRequest, BenchRequest] {
    const words = this.#words(shared);
    const twin = () => this.#ask(`${words} ${this.#sentence()}`, maxTokens, stream);
    return [twin(), twin()];
  }

  #ask(question: string, maxTokens: number, stream: boolean): BenchRequest {
    return { ...this.#frame(question), ...SAMPLING, maxTokens, seed: this.#requests++, stream };
  }

  /** The fewest words that make a prompt of at least `tokens` tokens. */
  #words(tokens: number): string {
    const length = (words: readonly string[]) => this.#frame(words.join(" ")).ids.length;
    const words: string[] = [];
    while (length(words) < tokens) words.push(...this.#sentence().split(" "));
    while (words.length > 1 && length(words.slice(0, -1)) >= tokens) words.pop();
    return words.join(" ");
  }

  #sentence(): string {
    const [place, { name: role }, wish] = [
      this.#random.pick(PLACES),
      this.#random.pick<{ name: string }>(ROLES),
      this.#random.pick(WISHES),
    ];
    return `${place}에서 ${this.#random.int(2, 99)}명 규모 회사의 ${role} ${wish}`;
  }

  #frame(question: string): Prompt {
    const text = this.#reading.frame(question);
    return { text, ids: this.#reading.encode(text) };
  }
}
