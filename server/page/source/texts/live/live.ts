import { type Language, useLanguage } from "../texts.js";
import { english, type LiveTexts } from "./english.js";
import { korean } from "./korean.js";

const dictionaries: Record<Language, LiveTexts> = { en: english, ko: korean };

export const useLiveTexts = (): LiveTexts => dictionaries[useLanguage()];
