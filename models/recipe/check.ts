import type { Expectation, Facts } from "./expectation.js";
import { type DemandKind, FIELDS, type Field, type Language } from "./language.js";

/** The field that shows whether a demand is fulfilled. */
export const FIELD_OF: Readonly<Record<DemandKind, Field>> = {
  remote: "work",
  newcomer: "experience",
  permanent: "contract",
  skill: "skills",
  pay: "pay",
  deadline: "deadline",
};

/** What an answer says, whatever its form: one posting, or a list of several. */
export interface Read {
  /** The text before the first posting. */
  opening: string;
  /** Null if it isn't an object. */
  json: Record<string, unknown> | null;
  posting: Facts | null;
  list: Facts[];
}

export function readAnswer(answer: string, language: Language): Read {
  const text = answer.trim();
  const json = readObject(text);
  if (json !== null) {
    const { [language.jsonWords.postings]: postings, ...facts } = json;
    const list = Array.isArray(postings) ? postings.map((entry) => factsOf(entry, language)) : [];
    const posting = factsOf(facts, language);
    return { opening: "", json, list, posting: Object.keys(posting).length > 0 ? posting : null };
  }
  const lines = text.split("\n");
  const list = lines
    .filter((line) => line.startsWith("- "))
    .flatMap((line) => listed(line.slice(2), language));
  const opening = lines[0] ?? "";
  const posting = list.length > 0 ? {} : { ...linesOf(lines, language), ...briefOf(opening, language) };
  const isPosting = Object.keys(posting).length > 0;
  return {
    opening,
    json,
    list: list.length > 0 || isPosting ? list : briefList(opening, language),
    posting: isPosting ? posting : null,
  };
}

function readObject(text: string): Record<string, unknown> | null {
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function factsOf(value: unknown, { keys }: Language): Facts {
  const facts: Facts = {};
  if (typeof value !== "object" || value === null) return facts;
  for (const field of FIELDS) {
    const found =
      (value as Record<string, unknown>)[keys[field]] ?? (value as Record<string, unknown>)[field];
    if (typeof found === "string") facts[field] = found;
    else if (Array.isArray(found)) facts[field] = found.join(", ");
  }
  return facts;
}

function linesOf(lines: readonly string[], { labels }: Language): Facts {
  const facts: Facts = {};
  for (const field of FIELDS) {
    const start = `${labels[field]}: `;
    const found = lines.find((line) => line.startsWith(start));
    if (found !== undefined) facts[field] = found.slice(start.length);
  }
  return facts;
}

/** `Busan nurse - Company: X (fictional), Pay: Y.` */
function briefOf(line: string, { labels, mark }: Language): Facts {
  const start = line.indexOf(` - ${labels.company}: `);
  if (start < 0 || !line.includes(mark)) return {};
  const names = Object.values(labels).join("|");
  const facts: Facts = {};
  for (const part of line.slice(start + 3).split(new RegExp(`, (?=(?:${names}): )`))) {
    const field = FIELDS.find((known) => part.startsWith(`${labels[known]}: `));
    if (field !== undefined) facts[field] = part.slice(labels[field].length + 2).replace(/\.(?: .*)?$/, "");
  }
  return facts;
}

function listed(line: string, { mark, places }: Language): Facts[] {
  const [, name, company, pay] = /^(.+?): (.+?), (.+)$/.exec(line) ?? [];
  if (name === undefined || company === undefined || pay === undefined || !company.endsWith(mark)) return [];
  return [{ [places.includes(name) ? "place" : "role"]: name, company, pay }];
}

/** `Busan: nurse Company (fictional), cook Company (fictional).` */
function briefList(line: string, language: Language): Facts[] {
  const [, head, rest] = /^(.+?): (.+?)\.?$/.exec(line) ?? [];
  if (head === undefined || rest === undefined || !rest.includes(language.mark)) return [];
  const names = [...language.places, ...language.roles.map((role) => role.name)].sort(
    (a, b) => b.length - a.length,
  );
  return rest.split(", ").flatMap((part) => {
    const name = names.find((known) => part.startsWith(`${known} `));
    if (name === undefined) return [];
    return [
      {
        [language.places.includes(name) ? "place" : "role"]: name,
        company: part.slice(name.length + 1).replace(/\).*$/, ")"),
      },
    ];
  });
}

/**
 * Reads an answer strictly.
 * @param earlier the answers before it, which it may have to keep to
 * @returns what is wrong, one line each
 */
export function check(
  answer: string,
  expect: Expectation,
  earlier: readonly string[],
  language: Language,
): string[] {
  const problems: string[] = [];
  const wants = (isTrue: boolean, problem: string) => {
    if (!isTrue) problems.push(problem);
  };
  const read = readAnswer(answer, language);
  const text = answer.trim();
  if (expect.json) wants(read.json !== null, "expected a JSON object");
  if (expect.oneLine) wants(!text.includes("\n"), "expected one line");
  if (expect.ending) wants(text.endsWith(expect.ending), `expected the ending ${expect.ending}`);
  for (const part of expect.includes ?? []) wants(text.includes(part), `expected ${part}`);
  if (expect.sign) wants(language.signs[expect.sign].test(text), `expected the answer "${expect.sign}"`);
  if (expect.register)
    wants(
      language.isPlain(firstSentence(text)) === (expect.register === "plain"),
      `expected the ${expect.register} form`,
    );
  if (expect.shape === "words") wants(read.posting === null && read.list.length === 0, "expected no posting");
  if (expect.shape === "list") problems.push(...checkList(read, expect, language));
  if (expect.shape === "posting") problems.push(...checkPosting(read, expect, language));
  const before = earlier.map((text) => readAnswer(text, language));
  // An answer may name the company unasked, but no other one.
  if (expect.shape === "value" && text.includes(language.mark)) {
    const { company } = before.findLast(({ posting }) => posting?.company !== undefined)?.posting ?? {};
    wants(company !== undefined && text.includes(company), `expected company to be ${company} as before`);
  }
  if (expect.copies) problems.push(...checkCopies(text, read, expect, before));
  if (expect.nth !== undefined) {
    const entry = before.findLast(({ list }) => list.length > 0)?.list[expect.nth];
    wants(
      entry?.company !== undefined && read.posting?.company === entry.company,
      "expected the list's company",
    );
  }
  if (expect.differs)
    wants(
      before.every(({ posting }) => !posting?.company || posting.company !== read.posting?.company),
      "expected another company",
    );
  return problems;
}

const firstSentence = (text: string) =>
  /^[^\n]*?[.!?](?=\s|$)/.exec(text)?.[0] ?? text.split("\n", 1)[0] ?? "";

function checkList({ list, posting }: Read, { role }: Expectation, language: Language): string[] {
  if (list.length !== 3 || posting !== null) return ["expected three postings"];
  const names = list.map((entry) => (role === undefined ? entry.role : entry.place));
  const known = role === undefined ? language.roles.map(({ name }) => name) : language.places;
  if (!names.every((name) => name !== undefined && known.includes(name)))
    return [`expected ${role === undefined ? "roles" : "places"}`];
  if (!list.every(({ company }) => company?.endsWith(language.mark))) return ["expected fictional companies"];
  if (new Set(names).size < 3) return ["expected different postings"];
  return [];
}

function checkPosting(
  { posting, opening, json, list }: Read,
  expect: Expectation,
  language: Language,
): string[] {
  if (posting === null || list.length > 0) return ["expected one posting"];
  const problems: string[] = [];
  const { fields = FIELDS, demands = [], place, role } = expect;
  const shown = Object.keys(posting) as Field[];
  if (shown.length !== fields.length || !fields.every((field) => posting[field] !== undefined))
    problems.push(`expected ${fields.join(" ")}, got ${shown.join(" ")}`);
  if (expect.json && json) {
    const keys = fields.map((field) => (expect.json === "english" ? field : language.keys[field]));
    if (!keys.every((key) => key in json) || Object.keys(json).length !== keys.length)
      problems.push(`expected the keys ${keys.join(", ")}, got ${Object.keys(json).join(", ")}`);
  }
  if (posting.company !== undefined && !posting.company.endsWith(language.mark))
    problems.push("expected the company to be marked as fictional");
  for (const [field, name] of [
    ["place", place],
    ["role", role],
  ] as const) {
    if (name === undefined) continue;
    if (posting[field] !== undefined && posting[field] !== name)
      problems.push(`expected ${field} ${name}, got ${posting[field]}`);
    if (!json && !opening.includes(name)) problems.push(`expected ${name} in the first line`);
  }
  for (const demand of demands) {
    const value = posting[FIELD_OF[demand.kind]];
    if (value !== undefined && !language.fulfils(value, demand))
      problems.push(`expected ${demand.kind}, got ${value}`);
  }
  // What the opening promises, asked for or not.
  const { work } = posting;
  if (
    work !== undefined &&
    language.signs.noRemote.test(opening) &&
    language.fulfils(work, { kind: "remote" })
  )
    problems.push("expected no remote work below an opening that says so");
  return problems;
}

function checkCopies(
  text: string,
  read: Read,
  { copies = [] }: Expectation,
  before: readonly Read[],
): string[] {
  return copies.flatMap((field) => {
    // A posting may be shown again in part.
    const value = before.findLast(({ posting }) => posting?.[field] !== undefined)?.posting?.[field];
    if (value === undefined) return [`expected ${field} in an earlier answer`];
    const isThere = read.json ? read.posting?.[field] === value : text.includes(value);
    return isThere ? [] : [`expected ${field} to be ${value} as before`];
  });
}
