import { ended, formOf, JSON_FIELDS, objectOf } from "./answer.js";
import { FIELD_OF } from "./check.js";
import { DEMAND_SHARES, inventDemands, wordDemands } from "./demands.js";
import { type DemandKind, FIELDS, type Posting, type Role } from "./language.js";
import { key } from "./marks.js";
import { isPossible } from "./posting.js";
import { ASKED_SHARES, DISTURBED_FOLLOW_SHARE, type Scene } from "./scene.js";
import { showPosting } from "./shown.js";
import { nameFields, pickFields } from "./style.js";
import { refuse } from "./talk.js";
import type { Turn } from "./turn.js";

/** The same for another place. */
export function askOtherPlace(scene: Scene): Turn | null {
  const { role, language, random } = scene;
  if (role === null) return null;
  const listed = listedOf(scene, (posting) => scene.place === null && posting.role === role);
  const posting = takes(scene, listed) ? random.pick(listed) : undefined;
  const place = posting?.place ?? random.pick(language.places);
  if (place === scene.place) return null;
  const question = scene.word(language.follow.place, { P: scene.callPlace(place) }, DISTURBED_FOLLOW_SHARE);
  if (scene.style.place !== null && place !== scene.style.place) return refuse(scene, question, place);
  if (!posting && listed.some((known) => known.place === place)) return null;
  return goOn(scene, question, place, role, posting);
}

/** The same for another role. */
export function askOtherRole(scene: Scene): Turn | null {
  const { place, language, random } = scene;
  if (place === null) return null;
  const listed = listedOf(scene, (posting) => scene.role === null && posting.place === place);
  const posting = takes(scene, listed) ? random.pick(listed) : undefined;
  const role = posting?.role ?? random.pick(language.roles);
  if (role === scene.role) return null;
  const question = scene.word(language.follow.role, { R: scene.callRole(role) }, DISTURBED_FOLLOW_SHARE);
  if (scene.style.role !== null && role !== scene.style.role) return refuse(scene, question, place);
  if (!posting && listed.some((known) => known.role === role)) return null;
  if (!scene.demands.every((demand) => isPossible(role, demand))) return null;
  return goOn(scene, question, place, role, posting);
}

const listedOf = ({ list }: Scene, isMeant: (posting: Posting) => boolean): readonly Posting[] =>
  list?.postings.filter(isMeant) ?? [];

/** Whether to ask for a posting of the list. In an evaluation the model makes its own list, which nobody knows before. */
const takes = ({ isCorpus, random }: Scene, listed: readonly Posting[]) =>
  isCorpus && listed.length > 0 && random.chance(0.5);

function goOn(scene: Scene, question: string, place: string, role: Role, listed?: Posting): Turn | null {
  const { demands, list } = scene;
  const { answers } = scene.language;
  if (!listed && !scene.pairs(place, role)) return null;
  return showPosting(scene, question, {
    ...{ place, role, demands: listed ? [] : demands },
    asked: demands.map(({ kind }) => FIELD_OF[kind]),
    reply: demands.length > 0 ? answers.demand : answers.posting,
    from: listed && list ? fromOf(list, listed) : undefined,
  });
}

const fromOf = ({ postings, fields }: NonNullable<Scene["list"]>, posting: Posting) => ({
  ...{ posting, fields },
  index: postings.indexOf(posting),
});

/**
 * One more demand.
 * @param wanted its kind, if it has to be one
 */
export function addDemand(scene: Scene, wanted: DemandKind | null): Turn | null {
  const { place, role, random, language } = scene;
  if (place === null || role === null || scene.demands.length > 1) return null;
  const [demand] = inventDemands(random, role, 1, DEMAND_SHARES, wanted) ?? [];
  if (demand === undefined || scene.demands.some(({ kind }) => kind === demand.kind)) return null;
  if (demand.kind === "remote" && !role.remote && scene.demands.length > 0) return null;
  const demands = [...scene.demands, demand];
  const question = scene.word(
    language.follow.demand,
    { D: wordDemands(scene, [demand]) },
    DISTURBED_FOLLOW_SHARE,
  );
  const asked = demands.map(({ kind }) => FIELD_OF[kind]);
  return showPosting(scene, question, { place, role, demands, asked, reply: language.answers.demand });
}

/** One field of the posting shown last. */
export function askValue(scene: Scene): Turn | null {
  const { shown, style, random, language, split } = scene;
  if (shown === null || style.json?.fields) return null;
  const known = ASKED_SHARES.filter((field) => shown.fields.includes(field));
  if (known.length === 0) return null;
  const field = random.pick(known);
  const byName = random.chance(0.4);
  const name = split === "train" ? random.pick(language.fieldNames[field]) : language.keys[field];
  const wordings = byName ? language.follow.field : language.follow.fields[field];
  const question = scene.word(wordings, { F: name }, DISTURBED_FOLLOW_SHARE);
  if (style.json !== null) {
    return {
      question,
      answer: objectOf(language, style, shown.posting, [field], () => true),
      expect: { shape: "posting", fields: [field], copies: [field], json: "own", oneLine: true },
    };
  }
  const value = language.values(shown.posting)[field];
  const said = scene.say(language.answers.value, { F: language.keys[field], V: value });
  return {
    question,
    answer: ended(style, said.replace(value, key(value))),
    expect: { shape: "value", copies: [field], ...formOf(style, false), oneLine: style.ending === null },
  };
}

/** Another company's posting. */
export function askAnother(scene: Scene): Turn | null {
  const { place, role, demands, language } = scene;
  if (place === null || role === null || scene.shown === null) return null;
  const question = scene.word(language.follow.another, {}, DISTURBED_FOLLOW_SHARE);
  const asked = demands.map(({ kind }) => FIELD_OF[kind]);
  const reply = language.answers.another;
  return showPosting(scene, question, { place, role, demands, asked, reply, differs: true });
}

/** The first, second or third of a list. */
export function askNth(scene: Scene): Turn | null {
  const { list, random, language } = scene;
  if (list === null) return null;
  const index = random.int(0, list.postings.length - 1);
  const posting = list.postings[index] as Posting;
  const question = scene.word(
    language.follow.nth,
    { N: language.ordinals[index] as string },
    DISTURBED_FOLLOW_SHARE,
  );
  const { place, role } = posting;
  const from = { posting, fields: list.fields, index };
  const turn = showPosting(scene, question, { place, role, reply: language.answers.detail, from });
  // Which place and role it is follows from the list alone.
  if (turn) {
    if (scene.style.place === null) delete turn.expect.place;
    delete turn.expect.role;
  }
  return turn;
}

/** The posting shown last, or some of its fields, as JSON. */
export function askAsJson(scene: Scene, action: "~json" | "~jsonWhole"): Turn | null {
  const { shown, style, random, language, split } = scene;
  if (shown === null || style.json) return null;
  const known = FIELDS.filter(
    (field) => shown.fields.includes(field) || field === "place" || field === "role",
  );
  const isWhole = action === "~jsonWhole";
  const fields = isWhole
    ? known.filter((field) => JSON_FIELDS.includes(field))
    : pickFields(random, known, 2, 4);
  const slots = isWhole ? {} : { K: nameFields(random, language, fields, split) };
  return {
    question: scene.word(isWhole ? language.follow.jsonWhole : language.follow.json, slots, 0),
    answer: objectOf(language, style, shown.posting, fields, () => true),
    expect: {
      ...{ shape: "posting", fields, place: shown.posting.place, role: shown.posting.role.name },
      copies: fields.filter((field) => shown.fields.includes(field)),
      ...{ json: "own", oneLine: true },
    },
  };
}
