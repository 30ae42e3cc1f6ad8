import type { Expectation } from "./expectation.js";
import { FIELDS, type Field, type Language, type Posting } from "./language.js";
import { free, key } from "./marks.js";
import type { Style } from "./style.js";

/** Without a wish for fields, JSON has these, and those of the demands. */
export const JSON_FIELDS: readonly Field[] = ["company", "place", "role", "pay", "work", "deadline"];
const BRIEF_FIELDS: readonly Field[] = ["pay", "deadline"];

/** The form of an answer that the style asks for. */
export function formOf(
  { brief, register, ending, json }: Style,
  asJson: boolean,
  asked: readonly Field[] | null = null,
): Partial<Expectation> {
  if (asJson) return { json: json?.english && asked === null ? "english" : "own", oneLine: true };
  return { ...(brief ? { oneLine: true } : { register }), ...(ending !== null && { ending }) };
}

/** Which fields a posting is shown with. */
export function fieldsOf(
  style: Style,
  asked: readonly Field[],
  json: readonly Field[] | null,
): readonly Field[] {
  if (json !== null && json !== JSON_FIELDS) return json;
  if (style.json?.fields) return style.json.fields;
  const more = (fields: readonly Field[]) =>
    FIELDS.filter((field) => fields.includes(field) || asked.includes(field));
  if (json !== null || style.json) return more(JSON_FIELDS);
  if (style.brief)
    return ["company", ...(asked.length > 0 ? FIELDS.filter((f) => asked.includes(f)) : BRIEF_FIELDS)];
  if (style.fields) return ["company", ...FIELDS.filter((field) => style.fields?.includes(field))];
  return FIELDS;
}

export const canShow = ({ fields, json }: Style, field: Field) =>
  (fields === null || fields.includes(field)) && (!json?.fields || json.fields.includes(field));

/** A posting as text. `say` gives the line before it, where the style has one; `isSure` is what the conversation decides. */
export function textOf(
  language: Language,
  style: Style,
  posting: Posting,
  fields: readonly Field[],
  isSure: (field: Field) => boolean,
  say: () => string,
): string {
  const values = language.values(posting);
  const lines = fields.map((field) => {
    const mark = isSure(field) ? key : free;
    return `${language.labels[field]}: ${mark(values[field])}`;
  });
  return style.brief
    ? ended(style, `${posting.place} ${posting.role.name} - ${lines.join(", ")}.`)
    : ended(style, `${say()}\n\n${lines.join("\n")}`);
}

/** A posting as a JSON object. */
export function objectOf(
  language: Language,
  { json }: Style,
  posting: Posting,
  fields: readonly Field[],
  isSure: (field: Field) => boolean,
): string {
  const values = language.values(posting);
  const entries = fields.map((field) => {
    const mark = isSure(field) ? key : free;
    const name = json?.english && json.fields ? field : language.keys[field];
    const value =
      field === "skills"
        ? `[${posting.skills.map((skill) => JSON.stringify(mark(skill))).join(", ")}]`
        : JSON.stringify(mark(values[field]));
    return `${key(JSON.stringify(name))}: ${value}`;
  });
  return `{${entries.join(", ")}}`;
}

/** With the ending that a system message asks for. */
export const ended = ({ ending, brief }: Style, text: string) =>
  ending === null ? text : `${text}${brief ? " " : "\n\n"}${key(ending)}`;
