import type { Language, Split, Wordings } from "./language.js";
import type { Random } from "./random.js";

/**
 * The words that fill slots: `{P}` place, `{R}` role, `{S}` skill, `{D}` demands, `{A}` amount, `{M}` month,
 * `{F}` a field's name, `{V}` its value, `{K}` names of fields, `{N}` a name or an ordinal, `{E}` an ending. A slot may
 * name a form of the language, as in `{R을}`.
 */
export type Slots = Partial<Record<"P" | "R" | "S" | "D" | "A" | "M" | "F" | "V" | "K" | "N" | "E", string>>;

const CHOICE = /\(([^()]*)\)/;
const SLOT = /\{([A-Z])([^{}]*)\}/g;

/** The templates of a split; a corpus has more than an evaluation in known wordings. */
export const templatesOf = (wordings: Wordings, split: Split, isCorpus: boolean): readonly string[] =>
  isCorpus ? [...wordings.train, ...(wordings.more ?? [])] : wordings[split];

/** Picks one side of every `(a|b)`. */
export function choose(template: string, random: Random): string {
  let text = template;
  for (let choice = CHOICE.exec(text); choice; choice = CHOICE.exec(text)) {
    text =
      text.slice(0, choice.index) +
      random.pick((choice[1] ?? "").split("|")) +
      text.slice(choice.index + choice[0].length);
  }
  return text;
}

/** Fills the slots; one that has no word is an error. */
export function fill(text: string, slots: Slots, language: Pick<Language, "inflect">): string {
  return text
    .replace(/ +/g, " ")
    .trim()
    .replace(SLOT, (slot, key: keyof Slots, form: string) => {
      const word = slots[key];
      if (word === undefined) throw new Error(`expected a word for ${slot} in ${JSON.stringify(text)}`);
      return form === "" ? word : language.inflect(word, form);
    });
}

/** One wording of a template. */
export function phrase(
  template: string,
  slots: Slots,
  random: Random,
  language: Pick<Language, "inflect">,
): string {
  return fill(choose(template, random), slots, language);
}
