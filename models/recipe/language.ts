import type { Random } from "./random.js";

/** The fields of a posting, in the order of its lines. */
export const FIELDS = [
  "company",
  "place",
  "role",
  "duty",
  "skills",
  "contract",
  "experience",
  "pay",
  "work",
  "deadline",
] as const;
export type Field = (typeof FIELDS)[number];

/** Fields that a question may ask for. */
export type AskedField = Exclude<Field, "company" | "place" | "role">;

/** A company's line of business, which decides its name. */
export type Business =
  | "software"
  | "design"
  | "office"
  | "health"
  | "food"
  | "logistics"
  | "education"
  | "factory"
  | "shop"
  | "building";

export interface Role {
  name: string;
  /** Other names under which people ask for it. */
  aliases: readonly string[];
  business: Business;
  skills: readonly string[];
  duties: readonly string[];
  /** The amounts are in the language's unit. */
  pay: { per: "year" | "hour"; from: number; to: number; step: number };
  remote: boolean;
}

/** A condition that a question sets for the posting that answers it. */
export type Demand =
  | { kind: "remote" | "newcomer" | "permanent" }
  | { kind: "skill"; skill: string }
  | { kind: "pay"; amount: number; per: "year" | "hour" }
  | { kind: "deadline"; month: number };
export type DemandKind = Demand["kind"];

/** One fictional posting, as facts. */
export interface Posting {
  company: string;
  place: string;
  role: Role;
  duty: string;
  skills: readonly string[];
  permanent: boolean;
  /** Years of experience that it asks for; 0 for newcomers. */
  years: number;
  pay: number;
  /** Remote days a week; 0 for none, 5 for all. */
  remoteDays: number;
  /** Which of the language's office or shift hours, where nobody works remotely. */
  hours: string;
  deadline: { month: number; day: number };
}

export const SPLITS = ["train", "dev", "heldOut"] as const;
/** Whether a wording is for training, for choosing between trainings, or for the last evaluation alone. */
export type Split = (typeof SPLITS)[number];

/** Templates of one meaning; see `template.ts`. Dev's and the held-out ones occur in no training sample. */
export type Wordings = Readonly<Record<Split, readonly string[]>> & {
  /** For training too; the held-out questions in known wordings take `train`'s alone, so that they stay the same. */
  more?: readonly string[];
};

export const REGISTERS = ["polite", "plain"] as const;
export type Register = (typeof REGISTERS)[number];
/** Templates of one answer, in both registers. */
export type Reply = Readonly<Record<Register, readonly string[]>>;

/** Small talk that is answered without a posting. */
export const TALKS = [
  "greeting",
  "thanks",
  "farewell",
  "about",
  "name",
  "abilities",
  "real",
  "outside",
] as const;
export type Talk = (typeof TALKS)[number];

/** What a system message may ask for; `none` asks for nothing that changes an answer. */
export const ORDERS = [
  "none",
  "brief",
  "plain",
  "place",
  "role",
  "json",
  "jsonKeys",
  "persona",
  "ending",
  "fields",
] as const;
export type Order = (typeof ORDERS)[number];

/** Everything that a corpus needs to know of a language: words and templates, no logic of conversations. */
export interface Language {
  /** Where its files are, and its held-out questions. */
  folder: "korean" | "english";
  places: readonly string[];
  placeAliases: Readonly<Record<string, readonly string[]>>;
  /** Places and roles without postings. */
  unknownPlaces: readonly string[];
  unknownRoles: readonly string[];
  roles: readonly Role[];
  inventCompany(random: Random, business: Business): string;
  /**
   * From a space so large that a later turn's company can only be copied; so are the names and endings below.
   * @param nth of its conversation: companies that follow each other begin differently, in greedy answers too
   */
  inventCompanyOfMany(random: Random, business: Business, nth: number): string;
  /** A name that a system message gives, beside `personas`. */
  inventPersona(random: Random): string;
  /** Words for the end of each answer, beside `endings`. */
  inventEnding(random: Random): string;
  /** The mark behind a company's name. */
  mark: string;
  /** The word before a value. */
  labels: Readonly<Record<Field, string>>;
  /** The key in JSON, and the word in a sentence. */
  keys: Readonly<Record<Field, string>>;
  /** How questions and system messages name a field; its key among them. */
  fieldNames: Readonly<Record<AskedField | "company", readonly string[]>>;
  /** The texts of a posting's fields. */
  values(posting: Posting): Readonly<Record<Field, string>>;
  officeHours: readonly string[];
  shiftHours: readonly string[];
  /** Fields of business that work in shifts. */
  shifts: ReadonlySet<Business>;
  /** Whether the text of a field, as `values` writes it, fulfils the demand. */
  fulfils(value: string, demand: Demand): boolean;
  amount(amount: number, per: "year" | "hour"): string;
  month(month: number): string;
  /** A word with the ending, article or particle that a slot names, as `을` in `{R을}`. */
  inflect(word: string, form: string): string;
  forms: readonly string[];
  /** "a, b and c". */
  list(items: readonly string[]): string;
  /** Puts words that say nothing into a template, and with `replace` in place of some of its own. */
  disturb(template: string, random: Random, replace: boolean): string;

  /** A place and a role: {P}, {R}. */
  ask: Wordings;
  /** The same with demands: {D}. */
  askDemand: Wordings;
  /** The same as a question for one demand, with the skill as {S}. */
  askWhether: Readonly<Partial<Record<DemandKind, Wordings>>>;
  askField: Readonly<Record<AskedField, Wordings>>;
  askPlace: Wordings;
  askRole: Wordings;
  /** A place, a role, and fields {K} as JSON; `askJsonWhole` names no fields. */
  askJson: Wordings;
  askJsonWhole: Wordings;
  /** One demand as the words for {D}: {S} skill, {A} amount, {M} month; `and` before another one. */
  demands: Readonly<Record<DemandKind, { asked: Wordings; said: string; saidAnd: string }>>;

  /** After a posting or a list. */
  follow: {
    place: Wordings;
    role: Wordings;
    demand: Wordings;
    field: Wordings;
    fields: Readonly<Record<AskedField, Wordings>>;
    another: Wordings;
    /** {N} is one of `ordinals`. */
    nth: Wordings;
    json: Wordings;
    jsonWhole: Wordings;
  };
  ordinals: readonly string[];
  talk: Readonly<Record<Talk, Wordings>>;
  system: Readonly<Record<Order, Wordings>>;
  personas: Readonly<Record<Split, readonly string[]>>;
  endings: Readonly<Record<Split, readonly string[]>>;
  /** Keys in JSON where a system message names them in English. */
  englishKeys: boolean;
  jsonWords: { message: string; postings: string };

  answers: {
    posting: Reply;
    demand: Reply;
    field: Reply;
    /** The role can't be done remotely. */
    noRemote: Reply;
    another: Reply;
    detail: Reply;
    place: Reply;
    role: Reply;
    /** {F}, {V}. */
    value: Reply;
    unknownPlace: Reply;
    unknownRole: Reply;
    /** A system message allows one place or role alone. */
    otherPlace: Reply;
    otherRole: Reply;
    talk: Readonly<Record<Talk, Reply>>;
    /** Example questions behind a greeting. */
    examplesStart: Reply;
    examples: readonly string[];
  };
  /** A text that each answer of this sort holds, and no other one does. */
  signs: Readonly<
    Record<
      | "unknownPlace"
      | "unknownRole"
      | "otherPlace"
      | "otherRole"
      | "noRemote"
      | "greeting"
      | "thanks"
      | "farewell"
      | "about"
      | "real"
      | "outside",
      RegExp
    >
  >;
  /** Whether a sentence is in the register; asked of an answer's first. */
  isPlain(sentence: string): boolean;
}
