import { ended, formOf } from "./answer.js";
import type { Expectation } from "./expectation.js";
import type { Role, Talk } from "./language.js";
import { free, key, unmarked } from "./marks.js";
import { DISTURBED_SHARE, type Scene } from "./scene.js";
import type { Turn } from "./turn.js";

export const TALK_SHARES: readonly Talk[] = [
  ...(["greeting", "thanks", "thanks", "farewell", "about", "about", "name", "name"] as const),
  ...(["abilities", "abilities", "real"] as const),
  ...(["outside", "outside", "outside", "outside", "outside", "outside"] as const),
];

/** An answer that shows no posting. */
function answerInWords(
  { style, language }: Scene,
  question: string,
  said: string,
  expect: Partial<Expectation>,
): Turn {
  const { json, brief } = style;
  const answer = json
    ? `{${JSON.stringify(language.jsonWords.message)}: ${JSON.stringify(said.split("\n", 1)[0])}}`
    : ended(style, brief ? firstOf(said) : said);
  const { json: _, ...form } = formOf(style, json !== null);
  return {
    question,
    answer,
    expect: {
      shape: "words",
      ...expect,
      ...form,
      ...(brief && !json && { register: style.register }),
      ...(json && { json: "own" as const }),
    },
  };
}

const firstOf = (said: string) =>
  /^[^\n]*?[.!?](?=\s|$)/.exec(unmarked(said)) ? (said.split(/(?<=[.!?])\s/, 1)[0] as string) : said;

/** To a question about a place or role that the system message leaves out. */
export function refuse(scene: Scene, question: string, place: string | null): Turn {
  const { place: onlyPlace, role: onlyRole, brief } = scene.style;
  const { answers } = scene.language;
  const isPlace = onlyPlace !== null && place !== onlyPlace;
  const name = isPlace ? onlyPlace : (onlyRole as Role).name;
  const said = isPlace
    ? scene.say(answers.otherPlace, { P: key(onlyPlace) })
    : scene.say(answers.otherRole, { R: name });
  return answerInWords(scene, question, said, {
    ...(!brief && { sign: isPlace ? ("otherPlace" as const) : ("otherRole" as const) }),
    includes: [name],
  });
}

/** A question about a place or a role that no posting has. */
export function askUnknown(scene: Scene): Turn | null {
  const { random, language, style, isCorpus } = scene;
  if (style.place !== null || style.role !== null) return null;
  const isPlace = random.chance(0.5);
  let place = isPlace ? random.pick(language.unknownPlaces) : random.pick(language.places);
  let role = isPlace ? random.pick(language.roles).name : random.pick(language.unknownRoles);
  const isShort = random.chance(0.3);
  // Beside a known role, a name that nobody knows can only be a place; beside a known place, only a role.
  if (isCorpus && !isShort && random.chance(0.3)) {
    if (isPlace) place = language.inventPersona(random);
    else role = language.inventPersona(random);
  }
  const wordings = isShort ? (isPlace ? language.askPlace : language.askRole) : language.ask;
  const known = isPlace
    ? random.subset(language.places, 3)
    : random.subset(language.roles, 3).map(({ name }) => name);
  const sort = isPlace ? "unknownPlace" : "unknownRole";
  return answerInWords(
    scene,
    scene.word(wordings, { P: place, R: role }, 0),
    scene.say(language.answers[sort], { K: free(known.join(", ")) }),
    { sign: sort },
  );
}

export function makeTalk(scene: Scene, talk: Talk): Turn {
  const { random, language, style } = scene;
  const role = random.pick(language.roles);
  const question = scene.word(
    language.talk[talk],
    { P: random.pick(language.places), R: role.name, S: random.pick(role.skills) },
    DISTURBED_SHARE / 2,
  );
  const name = style.persona ?? "JAI";
  const examples =
    talk === "greeting" || talk === "abilities"
      ? `\n\n${scene.say(language.answers.examplesStart, {})}\n${random
          .subset(language.answers.examples, 2)
          .map((example) => `- ${free(example)}`)
          .join("\n")}`
      : "";
  const says = scene.say(language.answers.talk[talk], { N: name });
  const isNamed =
    talk === "about" || talk === "name" || talk === "abilities" || (talk === "greeting" && !style.brief);
  const marked = isNamed && style.persona ? says.replace(name, key(name)) : says;
  return answerInWords(scene, question, `${marked}${examples}`, {
    ...(talk !== "name" && { sign: talk === "abilities" ? ("about" as const) : talk }),
    ...(isNamed && { includes: [name] }),
  });
}
