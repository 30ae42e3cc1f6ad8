/**
 * Marks in the text of an answer, which say how much a part matters in training. They are characters that no language of
 * ours uses, and they never reach the model.
 */
const FREE = "\uE000";
const KEY = "\uE001";
const END = "\uE002";
const MARKS = /[\uE000-\uE002]/;

/** A part that could as well be another: a company's name, say. It has a noise that nothing can learn. */
export const free = (text: string) => `${FREE}${text}${END}`;

/** A part that the conversation decides. */
export const key = (text: string) => `${KEY}${text}${END}`;

export const unmarked = (text: string) => text.replaceAll(new RegExp(MARKS, "g"), "");

const WEIGHTS = { [FREE]: 0.3, [KEY]: 2 } as Readonly<Record<string, number>>;
/** Weight of the parts without a mark, which decide the rest of an answer. */
const PLAIN = 1;

/** The weight of each byte of the unmarked text. Marks don't nest: an inner one counts until it ends. */
export function weightsOf(marked: string): number[] {
  const weights: number[] = [];
  let open: number[] = [];
  for (const character of marked) {
    const weight = WEIGHTS[character];
    if (weight !== undefined) open = [...open, weight];
    else if (character === END) open = open.slice(0, -1);
    else for (let byte = Buffer.byteLength(character); byte > 0; byte--) weights.push(open.at(-1) ?? PLAIN);
  }
  return weights;
}
