import { canShow, JSON_FIELDS } from "./answer.js";
import { FIELD_OF } from "./check.js";
import { DEMAND_SHARES, inventDemands, WHETHER_SHARES, wordDemands } from "./demands.js";
import { type Demand, type DemandKind, FIELDS, type Field, type Role, type Wordings } from "./language.js";
import type { Random } from "./random.js";
import { ASKED_SHARES, DISTURBED_SHARE, type Scene } from "./scene.js";
import { showList, showPosting } from "./shown.js";
import { nameFields, pickFields } from "./style.js";
import { refuse } from "./talk.js";
import type { Slots } from "./template.js";
import type { Action, Turn } from "./turn.js";

type Opening = Extract<Action, "ask" | "demand" | "demands" | "whether" | "field" | "json" | "jsonWhole">;

/** The wishes in a question, beside its place and role. */
interface Wish {
  wordings: Wordings;
  slots: Slots;
  asked: readonly Field[];
  json?: readonly Field[];
}

/**
 * A question for a place and a role, which needs no earlier turn.
 * @param wanted the one kind of demand, if any
 */
export function ask(scene: Scene, action: Opening, wanted: DemandKind | null): Turn | null {
  const { language } = scene;
  const place = scene.pickPlace();
  const role = scene.pickRole();
  const isAllowed = scene.allows(place, role);
  if (isAllowed && !scene.pairs(place, role)) return null;
  const count = action === "demands" ? 2 : action === "demand" || action === "whether" ? 1 : 0;
  const kinds = action === "whether" ? WHETHER_SHARES : DEMAND_SHARES;
  const demands = inventDemands(scene.random, role, count, kinds, wanted);
  if (demands === null) return null;
  const names: Slots = { P: scene.callPlace(place), R: scene.callRole(role) };
  const wish = wishOf(scene, action, demands);
  if (wish === null) return null;
  const { wordings, slots, asked, json = null } = wish;
  const question = scene.word(wordings, { ...names, ...slots }, DISTURBED_SHARE, action === "ask");
  if (!isAllowed) return refuse(scene, question, place);
  const { answers } = language;
  const reply = demands.length > 0 ? answers.demand : action === "field" ? answers.field : answers.posting;
  return showPosting(scene, question, { place, role, demands, asked, json, reply });
}

function wishOf(scene: Scene, action: Opening, demands: readonly Demand[]): Wish | null {
  const { random, language, style } = scene;
  const asked = demands.map(({ kind }) => FIELD_OF[kind]);
  switch (action) {
    case "ask":
      return { wordings: language.ask, slots: {}, asked };
    case "demand":
    case "demands":
      return { wordings: language.askDemand, slots: { D: wordDemands(scene, demands) }, asked };
    case "whether": {
      const [demand] = demands as [Demand];
      const slots = demand.kind === "skill" ? { S: demand.skill } : {};
      return { wordings: language.askWhether[demand.kind] as Wordings, slots, asked };
    }
    case "field": {
      const field = random.pick(ASKED_SHARES);
      return canShow(style, field) ? { wordings: language.askField[field], slots: {}, asked: [field] } : null;
    }
    default: {
      if (style.json?.fields) return null;
      if (action === "jsonWhole")
        return { wordings: language.askJsonWhole, slots: {}, asked, json: JSON_FIELDS };
      const json = pickFields(random, FIELDS, 2, 4);
      const slots = { K: nameFields(random, language, json, scene.split) };
      return { wordings: language.askJson, slots, asked, json };
    }
  }
}

/** A question for a place alone or a role alone, answered with a list; with one posting where the style decides the rest. */
export function askAlone(scene: Scene, by: "place" | "role"): Turn | null {
  const { random, language, style, pairs, isCorpus } = scene;
  const alone = by === "place" ? { place: scene.pickPlace() } : { role: scene.pickRole() };
  const { place, role }: { place: string | null; role: Role | null } = { ...style, ...alone };
  const question =
    alone.place === undefined
      ? scene.word(language.askRole, { R: scene.callRole(alone.role) }, DISTURBED_SHARE / 2)
      : scene.word(language.askPlace, { P: scene.callPlace(alone.place) }, DISTURBED_SHARE / 2);
  if (!scene.allows(place, role)) return refuse(scene, question, place);
  if (place !== null && role !== null)
    return pairs(place, role)
      ? showPosting(scene, question, { place, role, reply: language.answers.posting })
      : null;
  const isShown = (one: string, other: Role) => !isCorpus || pairs(one, other);
  const pick = <T>(known: readonly T[]) => (isCorpus ? ofEachThird(random, known) : random.subset(known, 3));
  const postings =
    alone.place === undefined
      ? pick(language.places.filter((known) => isShown(known, alone.role))).map((known, index) =>
          scene.invent(known, alone.role, [], index),
        )
      : pick(language.roles.filter((known) => isShown(alone.place, known))).map((known, index) =>
          scene.invent(alone.place, known, [], index),
        );
  return showList(scene, question, by, postings);
}

/** So that no two entries of a list are the same, even if each is the likeliest one. */
const ofEachThird = <T>(random: Random, items: readonly T[]): T[] =>
  [0, 1, 2].map((third) =>
    random.pick(items.slice((third * items.length) / 3, ((third + 1) * items.length) / 3)),
  );
