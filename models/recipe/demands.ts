import type { Demand, DemandKind, Language, Role } from "./language.js";
import { isPossible } from "./posting.js";
import type { Random } from "./random.js";
import type { Scene } from "./scene.js";
import { choose, fill, type Slots, templatesOf } from "./template.js";

/** How often a demand is of a kind. */
export const DEMAND_SHARES: readonly DemandKind[] = [
  ...(["remote", "remote", "remote", "newcomer", "newcomer", "permanent"] as const),
  ...(["skill", "skill", "pay", "pay", "deadline"] as const),
];
export const WHETHER_SHARES: readonly DemandKind[] = ["remote", "remote", "newcomer", "permanent", "skill"];

/**
 * Different demands of these kinds; null where a posting can't fulfil them, or by chance.
 * @param wanted the one kind that it has to be
 */
export function inventDemands(
  random: Random,
  role: Role,
  count: number,
  kinds: readonly DemandKind[],
  wanted: DemandKind | null,
): Demand[] | null {
  const demands: Demand[] = [];
  for (let i = 0; i < count; i++) {
    const demand = inventDemand(random, role, wanted ?? random.pick(kinds));
    if (demands.some(({ kind }) => kind === demand.kind)) return null;
    if (!isPossible(role, demand) && (demand.kind !== "remote" || count > 1)) return null;
    demands.push(demand);
  }
  return demands;
}

function inventDemand(random: Random, role: Role, kind: DemandKind): Demand {
  if (kind === "skill") return { kind, skill: random.pick(role.skills) };
  if (kind === "deadline") return { kind, month: random.int(1, 12) };
  if (kind !== "pay") return { kind };
  const { from, to, step, per } = role.pay;
  const unit = step * (random.chance(0.7) ? 5 : 1);
  return {
    kind,
    per,
    amount: Math.ceil(random.int(from, from + Math.floor(0.6 * (to - from))) / unit) * unit,
  };
}

/** The demands as questions say them. */
export function wordDemands({ random, language, split, isCorpus }: Scene, demands: readonly Demand[]) {
  const lastOf = ({ kind }: Demand) =>
    choose(random.pick(templatesOf(language.demands[kind].asked, split, isCorpus)), random);
  return joined(language, demands, lastOf);
}

/** The demands as answers say them. */
export const sayDemands = (language: Language, demands: readonly Demand[]) =>
  joined(language, demands, ({ kind }) => language.demands[kind].said);

const joined = (language: Language, demands: readonly Demand[], lastOf: (demand: Demand) => string) =>
  demands
    .map((demand, index) => {
      const isLast = index === demands.length - 1;
      const template = isLast ? lastOf(demand) : language.demands[demand.kind].saidAnd;
      return fill(template, slotsOf(language, demand), language);
    })
    .join(" ");

function slotsOf(language: Language, demand: Demand): Slots {
  if (demand.kind === "skill") return { S: demand.skill };
  if (demand.kind === "deadline") return { M: language.month(demand.month) };
  if (demand.kind === "pay") return { A: language.amount(demand.amount, demand.per) };
  return {};
}
