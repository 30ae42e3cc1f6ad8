import type { Language, Posting } from "../language.js";
import { join, joinDemands, joinEach, joinFollow } from "../more.js";
import { ANSWERS, isPlain, SIGNS } from "./answers.js";
import { FOLLOW, ORDINALS } from "./follow.js";
import { MORE } from "./more.js";
import { inventCompanyOfMany, inventEnding, inventPersona } from "./names.js";
import { ROLES, UNKNOWN_ROLES } from "./roles.js";
import { ENDINGS, PERSONAS, SYSTEM } from "./system.js";
import { TALK } from "./talk.js";
import {
  ASK,
  ASK_DEMAND,
  ASK_FIELD,
  ASK_JSON,
  ASK_JSON_WHOLE,
  ASK_PLACE,
  ASK_ROLE,
  ASK_WHETHER,
  DEMANDS,
} from "./wordings.js";
import { disturb, inventCompany, PLACE_ALIASES, PLACES, UNKNOWN_PLACES } from "./words.js";

const MONTHS = "January,February,March,April,May,June,July,August,September,October,November,December".split(
  ",",
);
const amountOf = (amount: number, per: "year" | "hour") =>
  `$${amount.toLocaleString("en-US")} ${per === "year" ? "a year" : "an hour"}`;
/** Read with a vowel first, or the other way round, unlike they are written. */
const READ_AS_VOWEL = /^(?:[aeiou]|ML\b|X-)/i;
const READ_AS_CONSONANT = /^(?:UX|user|uni)/i;

export const english: Language = {
  folder: "english",
  places: PLACES,
  placeAliases: PLACE_ALIASES,
  unknownPlaces: UNKNOWN_PLACES,
  unknownRoles: UNKNOWN_ROLES,
  roles: ROLES,
  inventCompany,
  inventCompanyOfMany,
  inventPersona,
  inventEnding,
  mark: "(fictional)",
  labels: {
    company: "Company",
    place: "Place",
    role: "Job",
    duty: "Tasks",
    skills: "Skills",
    contract: "Contract",
    experience: "Experience",
    pay: "Pay",
    work: "Hours",
    deadline: "Deadline",
  },
  keys: {
    company: "company",
    place: "place",
    role: "job",
    duty: "tasks",
    skills: "skills",
    contract: "contract",
    experience: "experience",
    pay: "pay",
    work: "hours",
    deadline: "deadline",
  },
  fieldNames: {
    company: ["company", "company name"],
    duty: ["tasks", "duties"],
    skills: ["skills", "skills"],
    contract: ["contract", "contract type"],
    experience: ["experience", "experience"],
    pay: ["pay", "pay", "salary"],
    work: ["hours", "hours", "working hours"],
    deadline: ["deadline", "deadline", "closing date"],
  },
  values: (posting) => ({
    company: `${posting.company} (fictional)`,
    place: posting.place,
    role: posting.role.name,
    duty: posting.duty,
    skills: posting.skills.join(", "),
    contract: posting.permanent ? "permanent" : "temporary",
    experience:
      posting.years === 0
        ? "newcomers welcome"
        : `${posting.years} ${posting.years === 1 ? "year" : "years"} or more`,
    pay: amountOf(posting.pay, posting.role.pay.per),
    work: workOf(posting),
    deadline: `${MONTHS[posting.deadline.month - 1]} ${posting.deadline.day}`,
  }),
  officeHours: ["5 days in the office", "5 days on site"],
  shiftHours: ["5 days in shifts", "4 days in shifts", "5 days, some at weekends"],
  shifts: new Set(["health", "food", "logistics", "factory", "shop"]),
  fulfils: (value, demand) => {
    switch (demand.kind) {
      case "remote":
        return value.includes("remote");
      case "newcomer":
        return value === "newcomers welcome";
      case "permanent":
        return value === "permanent";
      case "skill":
        return value.split(", ").includes(demand.skill);
      case "pay": {
        const [, amount = "", per] = /^\$([\d,]+) an? (year|hour)$/.exec(value) ?? [];
        return per === demand.per && Number(amount.replace(",", "")) >= demand.amount;
      }
      case "deadline":
        return value.startsWith(`${MONTHS[demand.month - 1]} `);
    }
  },
  amount: amountOf,
  month: (month) => MONTHS[month - 1] as string,
  inflect,
  forms: [" a", " s"],
  list: (items) =>
    items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`,
  disturb,
  ask: join(ASK, MORE.ask),
  askDemand: join(ASK_DEMAND, MORE.askDemand),
  askWhether: joinEach(ASK_WHETHER, MORE.askWhether),
  askField: ASK_FIELD,
  askPlace: join(ASK_PLACE, MORE.askPlace),
  askRole: join(ASK_ROLE, MORE.askRole),
  askJson: join(ASK_JSON, MORE.askJson),
  askJsonWhole: join(ASK_JSON_WHOLE, MORE.askJsonWhole),
  demands: joinDemands(DEMANDS, MORE),
  follow: joinFollow(FOLLOW, MORE),
  ordinals: ORDINALS,
  talk: joinEach(TALK, MORE.talk),
  system: joinEach(SYSTEM, MORE.system),
  personas: PERSONAS,
  endings: ENDINGS,
  englishKeys: false,
  jsonWords: { message: "message", postings: "jobs" },
  answers: ANSWERS,
  signs: SIGNS,
  isPlain,
};

/** ` a` puts the article before, ` s` makes the plural. */
function inflect(word: string, form: string): string {
  if (form === " a") {
    const isVowel = READ_AS_VOWEL.test(word) && !READ_AS_CONSONANT.test(word);
    return `${isVowel ? "an" : "a"} ${word}`;
  }
  if (form === " s") return /(?:s|ch|sh|x)$/.test(word) ? `${word}es` : word.replace(/y$/, "ie").concat("s");
  throw new RangeError(`expected the form " a" or " s", got ${JSON.stringify(form)}`);
}

function workOf({ remoteDays, hours }: Posting): string {
  if (remoteDays === 5) return "fully remote";
  return remoteDays > 0 ? `${remoteDays} ${remoteDays === 1 ? "day" : "days"} remote` : hours;
}
