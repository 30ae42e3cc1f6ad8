import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { english, type Texts } from "./english.js";
import { korean } from "./korean.js";

export const languageNames = { en: "English", ko: "한국어" } as const;
export type Language = keyof typeof languageNames;
export const dictionaries: Record<Language, Texts> = { en: english, ko: korean };

/** The first of the browser's languages that the page speaks. */
export function browserLanguage(): Language {
  const known = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in dictionaries);
  return (known as Language | undefined) ?? "en";
}

export const Speech = createContext<{ texts: Texts; language: Language }>({ texts: english, language: "en" });
export const useTexts = (): Texts => useContext(Speech).texts;
export const useLanguage = (): Language => useContext(Speech).language;
