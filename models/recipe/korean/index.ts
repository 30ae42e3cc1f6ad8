import type { Language, Posting } from "../language.js";
import { join, joinDemands, joinEach, joinFollow } from "../more.js";
import { ANSWERS, isPlain, SIGNS } from "./answers.js";
import { inventCompany } from "./companies.js";
import { FOLLOW, ORDINALS } from "./follow.js";
import { MORE } from "./more.js";
import { inventCompanyOfMany, inventEnding, inventPersona } from "./names.js";
import { disturb } from "./noise.js";
import { PARTICLES, type Particle, withParticle } from "./particles.js";
import { PLACE_ALIASES, PLACES, UNKNOWN_PLACES } from "./places.js";
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

const PAY = /(연봉|시급) ([\d,]+)/;

const LABELS = {
  company: "회사",
  place: "지역",
  role: "직무",
  duty: "업무",
  skills: "역량",
  contract: "고용",
  experience: "경력",
  pay: "급여",
  work: "근무",
  deadline: "마감",
};

export const korean: Language = {
  folder: "korean",
  places: PLACES,
  placeAliases: PLACE_ALIASES,
  unknownPlaces: UNKNOWN_PLACES,
  unknownRoles: UNKNOWN_ROLES,
  roles: ROLES,
  inventCompany,
  inventCompanyOfMany,
  inventPersona,
  inventEnding,
  mark: "(가상)",
  labels: LABELS,
  keys: LABELS,
  fieldNames: {
    company: ["회사", "회사", "회사 이름", "회사명"],
    duty: ["업무", "업무", "하는 일", "담당 업무"],
    skills: ["역량", "역량", "필요 역량", "기술"],
    contract: ["고용", "고용", "고용 형태"],
    experience: ["경력", "경력", "경력 조건"],
    pay: ["급여", "급여", "연봉", "보수"],
    work: ["근무", "근무", "근무 형태", "근무 조건"],
    deadline: ["마감", "마감", "마감일"],
  },
  values: (posting) => ({
    company: `${posting.company} (가상)`,
    place: posting.place,
    role: posting.role.name,
    duty: posting.duty,
    skills: posting.skills.join(", "),
    contract: posting.permanent ? "정규직" : "계약직",
    experience: posting.years === 0 ? "신입 가능" : `${posting.years}년 이상`,
    pay: payOf(posting),
    work: workOf(posting),
    deadline: `${posting.deadline.month}월 ${posting.deadline.day}일까지`,
  }),
  officeHours: ["주 5일 출근", "주 5일 탄력 근무"],
  shiftHours: ["주 5일 교대 근무", "주 4일 근무", "주말 포함 주 5일"],
  shifts: new Set(["health", "food", "logistics", "factory", "shop"]),
  fulfils: (value, demand) => {
    switch (demand.kind) {
      case "remote":
        return value.includes("재택");
      case "newcomer":
        return value === "신입 가능";
      case "permanent":
        return value === "정규직";
      case "skill":
        return value.split(", ").includes(demand.skill);
      case "pay": {
        const [, per, amount = ""] = PAY.exec(value) ?? [];
        return (
          per === (demand.per === "year" ? "연봉" : "시급") &&
          Number(amount.replace(",", "")) >= demand.amount
        );
      }
      case "deadline":
        return value.startsWith(`${demand.month}월 `);
    }
  },
  amount: (amount, per) =>
    per === "year"
      ? `연봉 ${amount.toLocaleString("en-US")}만 원`
      : `시급 ${amount.toLocaleString("en-US")}원`,
  month: (month) => `${month}월`,
  inflect: (word, form) => withParticle(word, form as Particle),
  forms: PARTICLES,
  list: (items) => items.join(", "),
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
  englishKeys: true,
  jsonWords: { message: "안내", postings: "공고" },
  answers: ANSWERS,
  signs: SIGNS,
  isPlain,
};

function payOf({ role, pay }: Posting): string {
  return role.pay.per === "year"
    ? `연봉 ${pay.toLocaleString("en-US")}만 원`
    : `시급 ${pay.toLocaleString("en-US")}원`;
}

function workOf({ remoteDays, hours }: Posting): string {
  if (remoteDays === 5) return "전면 재택";
  return remoteDays > 0 ? `주 ${remoteDays}회 재택` : hours;
}
