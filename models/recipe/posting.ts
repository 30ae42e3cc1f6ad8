import { inventCompany } from "./companies.js";
import type { Random } from "./random.js";
import type { Role } from "./roles.js";

/** One fictional posting; every field is the text that an answer shows. */
export interface Posting {
  company: string;
  place: string;
  role: Role;
  duty: string;
  skills: readonly string[];
  permanent: boolean;
  newcomer: boolean;
  experience: string;
  pay: string;
  remote: boolean;
  work: string;
  deadline: string;
}

/** Demands of a question on the posting that answers it. */
export interface Demand {
  skill?: string;
  permanent?: boolean;
  newcomer?: boolean;
  remote?: boolean;
}

const REMOTE_WORK = ["주 2회 재택", "주 3회 재택", "전면 재택", "주 1회 재택"];
const OFFICE_WORK = ["주 5일 출근", "주 5일 출근, 탄력 근무", "주 5일 출근, 9시부터 18시까지"];
const SHIFT_WORK = ["주 5일 교대 근무", "주 4일 근무", "주 5일, 주말 포함"];
const SHIFT_FIELDS = new Set(["health", "food", "logistics", "factory", "shop"]);

export function inventPosting(random: Random, place: string, role: Role, demand: Demand = {}): Posting {
  const others = role.skills.filter((skill) => skill !== demand.skill);
  const chosen = demand.skill ? [demand.skill, ...random.sample(others, 2)] : random.sample(others, 3);
  const hourly = role.pay.per === "hour";
  const remote = role.remote && (demand.remote ?? random.chance(0.4));
  const newcomer = demand.newcomer ?? random.chance(hourly ? 0.9 : 0.4);
  return {
    company: inventCompany(random, role.field),
    place,
    role,
    duty: random.pick(role.duties),
    // In the role's own order, which a small model learns to write without repeats.
    skills: role.skills.filter((skill) => chosen.includes(skill)),
    permanent: demand.permanent ?? !(hourly || random.chance(0.2)),
    newcomer,
    experience: newcomer ? "신입 가능" : `경력 ${random.int(1, 7)}년 이상`,
    pay: payText(random, role),
    remote,
    work: random.pick(remote ? REMOTE_WORK : SHIFT_FIELDS.has(role.field) ? SHIFT_WORK : OFFICE_WORK),
    deadline: random.chance(0.05) ? "채용될 때까지" : `${random.int(1, 12)}월 ${random.int(1, 28)}일까지`,
  };
}

function payText(random: Random, role: Role): string {
  const step = 100;
  const amount = random.int(role.pay.from / step, role.pay.to / step) * step;
  const grouped = amount.toLocaleString("en-US");
  return role.pay.per === "year" ? `연봉 ${grouped}만 원` : `시급 ${grouped}원`;
}
