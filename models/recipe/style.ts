import type { AskedField, Field, Language, Order, Register, Role, Split } from "./language.js";
import type { Random } from "./random.js";
import { choose, fill, templatesOf } from "./template.js";

/** How a system message wants the answers. */
export interface Style {
  register: Register;
  brief: boolean;
  /** Null: no JSON. Without fields: as the question asks. */
  json: { fields: readonly Field[] | null; english: boolean } | null;
  fields: readonly Field[] | null;
  place: string | null;
  role: Role | null;
  persona: string | null;
  ending: string | null;
}

export const DEFAULT_STYLE: Style = {
  register: "polite",
  brief: false,
  json: null,
  fields: null,
  place: null,
  role: null,
  persona: null,
  ending: null,
};

/** What a system message may combine; two orders of one group exclude each other. */
const GROUPS: Readonly<Record<Order, string>> = {
  none: "none",
  brief: "format",
  json: "format",
  jsonKeys: "format",
  fields: "format",
  plain: "register",
  place: "scope",
  role: "scope",
  persona: "persona",
  ending: "ending",
};

export function fit(first: Order, second: Order): boolean {
  const isJson = [first, second].some((order) => order === "json" || order === "jsonKeys");
  const hasWords = [first, second].some((order) => order === "plain" || order === "ending");
  return GROUPS[first] !== GROUPS[second] && !(isJson && hasWords);
}

const DISTURBED_SHARE = 0.15;
/** Of the names and endings in a corpus. */
const INVENTED_SHARE = 0.85;
const ASKED: readonly AskedField[] = ["duty", "skills", "contract", "experience", "pay", "work", "deadline"];

/** Fields that a message names, with the words that it names them by. */
export function nameFields(
  random: Random,
  language: Language,
  fields: readonly Field[],
  split: Split,
): string {
  return language.list(
    fields.map((field) => {
      if (field === "place" || field === "role") return language.keys[field];
      return split === "train" ? random.pick(language.fieldNames[field]) : language.keys[field];
    }),
  );
}

export function pickFields(random: Random, from: readonly Field[], least: number, most: number): Field[] {
  const count = Math.min(from.length, random.int(least, most));
  const picked = random.sample(from, count);
  // A company goes first: so do most people who ask.
  return picked.includes("company") ? ["company", ...picked.filter((field) => field !== "company")] : picked;
}

/** A system message with these orders, and what it asks for. */
export function inventSystem(
  random: Random,
  language: Language,
  split: Split,
  orders: readonly Order[],
  isCorpus: boolean,
): { text: string; style: Style } {
  const style: Style = { ...DEFAULT_STYLE };
  const sentences = orders.map((order) => {
    let slots = {};
    let templates = templatesOf(language.system[order], split, isCorpus);
    switch (order) {
      case "brief":
        style.brief = true;
        break;
      case "plain":
        style.register = "plain";
        break;
      case "json":
        style.json = { fields: null, english: false };
        break;
      case "jsonKeys": {
        const fields = pickFields(random, ["company", "place", "role", ...ASKED], 2, 4);
        const english = language.englishKeys && random.chance(0.3);
        style.json = { fields, english };
        // An English word takes no particle.
        if (english) templates = templates.filter((template) => !/\{K[^}]/.test(template));
        slots = { K: english ? fields.join(", ") : nameFields(random, language, fields, split) };
        break;
      }
      case "fields":
        style.fields = pickFields(random, ASKED, 1, 3);
        slots = { K: nameFields(random, language, style.fields, split) };
        break;
      case "place":
        style.place = random.pick(language.places);
        slots = { P: style.place };
        break;
      case "role":
        style.role = random.pick(language.roles);
        slots = { R: style.role.name };
        break;
      case "persona":
        style.persona =
          isCorpus && random.chance(INVENTED_SHARE)
            ? language.inventPersona(random)
            : random.pick(language.personas[split]);
        slots = { N: style.persona };
        break;
      case "ending":
        style.ending =
          isCorpus && random.chance(INVENTED_SHARE)
            ? language.inventEnding(random)
            : random.pick(language.endings[split]);
        slots = { E: style.ending };
        break;
    }
    const chosen = choose(random.pick(templates), random);
    const isDisturbed = split === "train" && random.chance(DISTURBED_SHARE);
    return fill(isDisturbed ? language.disturb(chosen, random, false) : chosen, slots, language);
  });
  return { text: sentences.join(random.chance(0.7) ? " " : "\n"), style };
}
