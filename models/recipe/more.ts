import type { AskedField, DemandKind, Language, Order, Talk, Wordings } from "./language.js";

/** Templates for training alone, named as the wordings of `Language` that they join. */
export interface More {
  ask?: readonly string[];
  askDemand?: readonly string[];
  askPlace?: readonly string[];
  askRole?: readonly string[];
  askJson?: readonly string[];
  askJsonWhole?: readonly string[];
  askWhether: Partial<Record<DemandKind, readonly string[]>>;
  demands: Partial<Record<DemandKind, readonly string[]>>;
  follow: Partial<
    Record<
      "place" | "role" | "demand" | "field" | "another" | "nth" | "json" | "jsonWhole",
      readonly string[]
    >
  >;
  fields: Partial<Record<AskedField, readonly string[]>>;
  talk: Partial<Record<Talk, readonly string[]>>;
  system: Partial<Record<Order, readonly string[]>>;
}

export const join = (wordings: Wordings, more: readonly string[] = []): Wordings => ({ ...wordings, more });

export const joinEach = <K extends string, W extends Readonly<Partial<Record<K, Wordings>>>>(
  wordings: W,
  more: Partial<Record<K, readonly string[]>>,
): W =>
  Object.fromEntries(
    Object.entries<Wordings | undefined>(wordings).map(([name, of]) => [
      name,
      of && join(of, more[name as K]),
    ]),
  ) as W;

export const joinDemands = (demands: Language["demands"], more: More): Language["demands"] =>
  Object.fromEntries(
    Object.entries(demands).map(([kind, words]) => [
      kind,
      { ...words, asked: join(words.asked, more.demands[kind as DemandKind]) },
    ]),
  ) as Language["demands"];

export function joinFollow({ fields, ...rest }: Language["follow"], more: More): Language["follow"] {
  return { ...joinEach(rest, more.follow), fields: joinEach(fields, more.fields) };
}
