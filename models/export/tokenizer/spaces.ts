import type { Fields } from "../../files/fields.js";
import { refuse, type TokenizerFile } from "./vocabulary.js";

/** The character that stands for a space. */
const MARK = "\u2581";
/** As import writes what SentencePiece calls remove_extra_whitespaces. */
const TRIMS: ReadonlySet<string> = new Set(["\\A +", `[ ${MARK}]+\\z`, " {2,}"]);

export interface Spaces {
  /** Whether a space is put before each text. */
  hasPrefix: boolean;
  /** Whether spaces at a text's ends are removed, and several in a row become one. */
  trims: boolean;
  /** Other steps that change a text. */
  others: Fields[];
}

/**
 * What a tokenizer of SentencePiece's kind does to spaces.
 * @throws ModelError for one that doesn't mark them, or that splits texts
 */
export function spaces({ normalizers, preTokenizers }: TokenizerFile): Spaces {
  const isPrefix = (step: Fields) => step.type === "Prepend" && step.prepend === MARK;
  const isMark = (step: Fields) => patternOf(step).String === " " && step.content === MARK;
  const isTrim = (step: Fields) => TRIMS.has(patternOf(step).Regex ?? "");
  const others = normalizers.filter((step) => !isPrefix(step) && !isMark(step) && !isTrim(step));
  if (preTokenizers.length > 0)
    throw refuse(`a pre-tokenizer ${String(preTokenizers[0]!.type)} without bytes`);
  if (!normalizers.some(isMark)) throw refuse("a tokenizer that doesn't mark spaces");
  return { hasPrefix: normalizers.some(isPrefix), trims: normalizers.some(isTrim), others };
}

const patternOf = ({ pattern }: Fields) => (pattern ?? {}) as { String?: string; Regex?: string };
