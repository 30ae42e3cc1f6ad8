import { english } from "./english/index.js";
import { korean } from "./korean/index.js";
import type { Language } from "./language.js";

/** A model's language, and the sizes of its tokenizer and its corpus. */
export interface Made {
  language: Language;
  /** Tokens. */
  vocabulary: number;
  /** Of the corpus. */
  conversations: number;
  /** Pairs of place and role that stay in training, because the documentation asks for them. */
  shown: readonly string[];
}

/** The default model and its sister, by name. */
export const MODELS: Readonly<Record<string, Made>> = {
  "jai-small": {
    language: korean,
    vocabulary: 3072,
    conversations: 100_000,
    shown: ["서울 React 개발자", "판교 백엔드 개발자"],
  },
  "jai-tiny-english": {
    language: english,
    vocabulary: 2048,
    conversations: 60_000,
    shown: ["Boston nurse", "Dublin barista"],
  },
};
