/** Four times the longest template of any model. */
const MOST_CHARACTERS = 131_072;
/** The library's first pass over a template takes time by the square of each stretch of white space. */
const MOST_SPACE = 1_000;

/** Why the text can't be parsed in bounded time; null if it can. */
export function excessOf(source: string): string | null {
  if (source.length > MOST_CHARACTERS)
    return `expected a template of at most ${MOST_CHARACTERS} characters, got ${source.length}`;
  let stretch = 0;
  for (let at = 0; at < source.length; at++) {
    stretch = /\s/.test(source[at]!) ? stretch + 1 : 0;
    if (stretch > MOST_SPACE)
      return `expected at most ${MOST_SPACE} characters of white space in a row, got more`;
  }
  return null;
}
