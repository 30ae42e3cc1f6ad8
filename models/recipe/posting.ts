import type { Demand, Language, Posting, Role } from "./language.js";
import type { Random } from "./random.js";

/** Whether a posting of the role can fulfil the demand at all. */
export function isPossible(role: Role, demand: Demand): boolean {
  switch (demand.kind) {
    case "remote":
      return role.remote;
    case "permanent":
      return role.pay.per === "year";
    case "skill":
      return role.skills.includes(demand.skill);
    case "pay":
      return demand.per === role.pay.per && demand.amount <= role.pay.to;
    default:
      return true;
  }
}

/**
 * One posting that fulfils every possible demand.
 * @param nth company of its conversation, for a name of many; null for one of few
 */
export function inventPosting(
  random: Random,
  language: Language,
  place: string,
  role: Role,
  demands: readonly Demand[] = [],
  nth: number | null = null,
): Posting {
  const wanted = <K extends Demand["kind"]>(kind: K) =>
    demands.find((demand): demand is Extract<Demand, { kind: K }> => demand.kind === kind);
  const skill = wanted("skill")?.skill;
  const others = random.sample(
    role.skills.filter((known) => known !== skill),
    skill === undefined ? 3 : 2,
  );
  const isHourly = role.pay.per === "hour";
  const isRemote = role.remote && (wanted("remote") !== undefined || random.chance(0.4));
  const isNew = wanted("newcomer") !== undefined || random.chance(isHourly ? 0.9 : 0.4);
  return {
    company:
      nth === null
        ? language.inventCompany(random, role.business)
        : language.inventCompanyOfMany(random, role.business, nth),
    place,
    role,
    duty: random.pick(role.duties),
    // The asked one first, then the role's own order, which a small model learns to write without repeats.
    skills: [
      ...(skill === undefined ? [] : [skill]),
      ...role.skills.filter((known) => others.includes(known)),
    ],
    permanent: !isHourly && (wanted("permanent") !== undefined || random.chance(0.8)),
    years: isNew ? 0 : random.int(1, 7),
    pay: payOf(random, role, wanted("pay")?.amount),
    remoteDays: isRemote ? random.pick([1, 2, 3, 5]) : 0,
    hours: random.pick(language.shifts.has(role.business) ? language.shiftHours : language.officeHours),
    deadline: { month: wanted("deadline")?.month ?? random.int(1, 12), day: random.int(1, 28) },
  };
}

function payOf(random: Random, { pay }: Role, least = pay.from): number {
  return random.int(Math.ceil(least / pay.step), Math.floor(pay.to / pay.step)) * pay.step;
}
