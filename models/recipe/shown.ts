import { ended, fieldsOf, formOf, objectOf, textOf } from "./answer.js";
import { FIELD_OF } from "./check.js";
import { sayDemands } from "./demands.js";
import type { Demand, Field, Posting, Reply, Role } from "./language.js";
import { free } from "./marks.js";
import type { Scene } from "./scene.js";
import type { Slots } from "./template.js";
import type { Turn } from "./turn.js";

interface Asked {
  place: string;
  role: Role;
  demands?: readonly Demand[];
  /** Fields that the question is about. */
  asked?: readonly Field[];
  /** Keys that it wants. */
  json?: readonly Field[] | null;
  reply: Reply;
  /** Whether it has to be another company than before. */
  differs?: boolean;
  /** A posting of a list, and what the list said of it. */
  from?: { posting: Posting; fields: readonly Field[]; index: number } | undefined;
}

/** Answers with one posting: a new one, or one of a list. Null by chance, or where the style can't show it. */
export function showPosting(
  scene: Scene,
  question: string,
  { place, role, demands = [], asked = [], json = null, reply, differs = false, from }: Asked,
): Turn | null {
  const { style, language, companies } = scene;
  const noRemote = demands.some(({ kind }) => kind === "remote") && !role.remote;
  const asJson = json !== null || style.json !== null;
  if (noRemote && (asJson || style.brief || style.fields)) return null;
  const posting = from?.posting ?? scene.invent(place, role, demands);
  if (companies.has(posting.company) && !from) return null;
  companies.add(posting.company);
  const kept = demands.filter((demand) => !(demand.kind === "remote" && noRemote));
  const fields = fieldsOf(style, asked, json);
  scene.remember({ place, role, demands: kept, list: null, shown: { posting, fields } });
  const sure = new Set<Field>(["place", "role", ...(from?.fields ?? [])]);
  for (const { kind } of kept) sure.add(FIELD_OF[kind]);
  if (noRemote) sure.add("work");
  const isSure = (field: Field) => sure.has(field);
  const slots: Slots = { P: place, R: role.name, D: sayDemands(language, kept) };
  if (reply === language.answers.field) slots.F = language.keys[asked[0] as Field];
  const say = () => scene.say(noRemote ? language.answers.noRemote : reply, slots);
  return {
    question,
    answer: asJson
      ? objectOf(language, style, posting, fields, isSure)
      : textOf(language, style, posting, fields, isSure, say),
    expect: {
      shape: "posting",
      ...{ place, role: role.name, demands: kept, fields },
      ...formOf(style, asJson, json),
      ...(noRemote && { sign: "noRemote" as const }),
      ...(differs && { differs }),
      ...(from !== undefined && { nth: from.index }),
    },
  };
}

/** Answers with three postings, of one place or one role. */
export function showList(
  scene: Scene,
  question: string,
  by: "place" | "role",
  postings: readonly Posting[],
): Turn | null {
  const { style } = scene;
  if (style.json?.fields) return null;
  const companies = new Set(postings.map((posting) => posting.company));
  if (companies.size < 3 || [...companies].some((company) => scene.companies.has(company))) return null;
  for (const company of companies) scene.companies.add(company);
  const [{ place, role }] = postings as [Posting];
  const head = by === "place" ? place : role.name;
  scene.remember({
    place: by === "place" ? place : null,
    role: by === "role" ? role : null,
    demands: [],
    shown: null,
    list: { postings, fields: style.brief ? ["company"] : ["company", "pay"] },
  });
  return {
    question,
    answer: listOf(scene, by, postings, head),
    expect: {
      shape: "list",
      ...(by === "place" ? { place: head } : { role: head }),
      ...(!style.json && { includes: [head] }),
      ...formOf(style, style.json !== null),
    },
  };
}

function listOf(scene: Scene, by: "place" | "role", postings: readonly Posting[], head: string): string {
  const { style, language } = scene;
  const other = by === "place" ? "role" : "place";
  if (style.json) {
    const entries = postings.map((posting) =>
      objectOf(language, style, posting, [other, "company", "pay"], () => false),
    );
    return `{${JSON.stringify(language.jsonWords.postings)}: [${entries.join(", ")}]}`;
  }
  const texts = postings.map((posting) => language.values(posting));
  if (style.brief)
    return ended(style, `${head}: ${texts.map((v) => free(`${v[other]} ${v.company}`)).join(", ")}.`);
  const lines = texts.map((v) => `- ${free(`${v[other]}: ${v.company}, ${v.pay}`)}`);
  const said = scene.say(language.answers[by], by === "place" ? { P: head } : { R: head });
  return ended(style, `${said}\n\n${lines.join("\n")}`);
}
