import { promptOf } from "../../models/recipe/corpus.js";
import { PLACES } from "../../models/recipe/places.js";
import { Random } from "../../models/recipe/random.js";
import { ROLES } from "../../models/recipe/roles.js";

export interface Prompt {
  text: string;
  ids: number[];
}

/** How all systems are asked to sample. */
export const SAMPLING = { temperature: 0.8, topK: 50 };

const WISHES = [
  "채용 있어?",
  "공고 알려줘.",
  "신입도 지원할 수 있어?",
  "연봉이 얼마야?",
  "재택이 가능해?",
  "마감이 언제야?",
];

/**
 * Questions as clients of a JAI model send them, framed by its chat template. Every prompt is another one, so that no
 * system can answer from what it computed for an earlier one, but for the few tokens of the frame.
 */
export class Prompts {
  readonly #encode: (text: string) => number[];
  readonly #random: Random;

  constructor(encode: (text: string) => number[], seed: number) {
    this.#encode = encode;
    this.#random = new Random(seed);
  }

  /** One question: with JAI's tokenizer some 20 to 30 tokens. */
  short(): Prompt {
    return this.#frame(this.#sentence());
  }

  /** Of `tokens` tokens, or a few more or less, as words allow. */
  ofLength(tokens: number): Prompt {
    const words: string[] = [];
    let { ids } = this.#frame("");
    let prompt: Prompt = { text: "", ids };
    // Ever more words, guessed from what a word took so far; then fewer, one by one.
    while (prompt.ids.length < tokens) {
      const missing = tokens - prompt.ids.length;
      const each = words.length === 0 ? 4 : Math.max(1, (prompt.ids.length - ids.length) / words.length);
      const target = words.length + Math.max(1, Math.floor(missing / each));
      while (words.length < target) words.push(...this.#sentence().split(" "));
      words.length = target;
      prompt = this.#frame(words.join(" "));
    }
    ({ ids } = prompt);
    while (ids.length > tokens && words.length > 1) {
      words.pop();
      const shorter = this.#frame(words.join(" "));
      if (shorter.ids.length < tokens) break;
      ({ ids } = shorter);
      prompt = shorter;
    }
    return prompt;
  }

  /** Two prompts that begin with the same `shared` tokens, or a few more or less, and end differently. */
  twins(shared: number): [Prompt, Prompt] {
    const { text } = this.ofLength(shared);
    // Without the end of the frame, which would follow what they share.
    const question = text.slice(text.indexOf("\n") + 1, text.indexOf("\n[/QUESTION]"));
    return [this.#frame(`${question} ${this.#sentence()}`), this.#frame(`${question} ${this.#sentence()}`)];
  }

  #sentence(): string {
    const [place, role, wish] = [PLACES, ROLES, WISHES].map((list) => this.#random.pick<unknown>(list));
    return `${place}에서 ${this.#random.int(2, 99)}명 규모 회사의 ${(role as { name: string }).name} ${wish}`;
  }

  #frame(question: string): Prompt {
    const text = promptOf(question);
    return { text, ids: this.#encode(text) };
  }
}
