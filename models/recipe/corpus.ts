import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compileChatTemplate, jaiChatTemplate } from "../chat-template.js";
import { answerBoth, answerPlace, answerRole } from "./answers.js";
import { SPECIAL_TOKENS } from "./bpe.js";
import { askUnknown, converse, type Turn } from "./conversation.js";
import { disturb } from "./noise.js";
import { PLACE_ALIASES, PLACES } from "./places.js";
import { Random } from "./random.js";
import { ROLES, type Role } from "./roles.js";
import {
  BOTH,
  choose,
  type Focus,
  fill,
  HELD_OUT_BOTH,
  PLACE_ONLY,
  phrase,
  ROLE_ONLY,
  type Slots,
} from "./wordings.js";

export interface HeldOutQuestion {
  question: string;
  place: string;
  role: string;
  /** What training never saw: this pair of place and role, this wording, or both. */
  unseen: "pair" | "wording" | "both";
}

export interface Corpus {
  samples: Turn[];
  heldOut: HeldOutQuestion[];
  /** The pairs kept out of training, as `place role`. */
  heldOutPairs: Set<string>;
}

export const DEFAULT_SEED = 20260131;
export const DEFAULT_COUNT = 48_000;

/** Share of questions with irrelevant words in them, which prepare the model for wordings that it never saw. */
const DISTURBED_SHARE = 0.4;
/** The same for questions that name a place or a role alone, which have less to recognize them by. */
const DISTURBED_SHORT_SHARE = 0.2;
const HELD_OUT_SHARE = 0.1;
const HELD_OUT_QUESTIONS = { pair: 120, wording: 40, both: 40 } as const;
/** The questions that the documentation shows stay in training. */
const SHOWN = new Set(["서울 React 개발자", "판교 백엔드 개발자"]);

const FOCUS_WEIGHTS: Readonly<Record<Focus, number>> = {
  any: 46,
  skill: 8,
  tool: 5,
  stack: 6,
  pay: 9,
  remote: 6,
  newcomer: 6,
  deadline: 5,
  permanent: 4,
  duty: 4,
  apply: 2,
};
const FOCI = Object.entries(FOCUS_WEIGHTS).flatMap(([focus, weight]) =>
  Array.from({ length: weight }, () => focus as Focus),
);

/** The same `seed` and `count` give the same corpus, byte for byte. */
export function generateCorpus(seed: number, count: number): Corpus {
  const random = new Random(seed);
  const heldOutPairs = choosePairs(random);
  const samples: Turn[] = [];
  while (samples.length < count) samples.push(inventTurn(random, heldOutPairs));
  return { samples, heldOut: holdOut(random, heldOutPairs, samples), heldOutPairs };
}

// What training reads is framed as what the server will write.
const { render } = compileChatTemplate(jaiChatTemplate);

/** The prompt of a question. */
export function promptOf(question: string): string {
  return render([{ role: "user", content: question }], { addGenerationPrompt: true });
}

/** One training sample as text; `[EOS]` tells the model where an answer ends. */
export function formatSample({ question, answer }: Turn): string {
  const turns = render([
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ]);
  return `${turns.trimEnd()}\n${SPECIAL_TOKENS[0]}`;
}

function choosePairs(random: Random): Set<string> {
  const pairs = PLACES.flatMap((place) => ROLES.map((role) => `${place} ${role.name}`));
  return new Set(
    random.sample(pairs, Math.round(pairs.length * HELD_OUT_SHARE)).filter((pair) => !SHOWN.has(pair)),
  );
}

function inventTurn(random: Random, heldOutPairs: ReadonlySet<string>): Turn {
  const kind = random.next();
  if (kind < 0.11) return converse(random);
  if (kind < 0.135) return askUnknown(random);
  const place = random.pick(PLACES);
  const role = random.pick(ROLES);
  if (kind < 0.195) {
    return {
      question: askShort(random, PLACE_ONLY, { P: callPlace(random, place) }),
      answer: answerPlace(random, place, ROLES),
    };
  }
  if (kind < 0.255) {
    return {
      question: askShort(random, ROLE_ONLY, { R: callRole(random, role) }),
      answer: answerRole(random, role, PLACES),
    };
  }
  if (heldOutPairs.has(`${place} ${role.name}`)) return inventTurn(random, heldOutPairs);
  const focus = random.pick(FOCI);
  const skill = pickSkill(random, role, focus);
  if (NEEDS_SKILL.has(focus) && skill === undefined) return inventTurn(random, heldOutPairs);
  const slots = { P: callPlace(random, place), R: callRole(random, role), ...(skill && { S: skill }) };
  const wording = choose(random.pick(BOTH[focus]), random);
  return {
    question: fill(
      random.chance(DISTURBED_SHARE) ? disturb(wording, random, focus === "any") : wording,
      slots,
    ),
    answer: answerBoth(random, place, role, focus, skill),
  };
}

function askShort(random: Random, templates: readonly string[], slots: Slots): string {
  const wording = choose(random.pick(templates), random);
  return fill(random.chance(DISTURBED_SHORT_SHARE) ? disturb(wording, random, false) : wording, slots);
}

const NEEDS_SKILL: ReadonlySet<Focus> = new Set(["skill", "tool"]);

/** A skill to ask for, where the focus needs one and the role has one: tools are those with Latin names. */
function pickSkill(random: Random, role: Role, focus: Focus): string | undefined {
  if (!NEEDS_SKILL.has(focus)) return undefined;
  const skills = focus === "tool" ? role.skills.filter((skill) => /^[A-Za-z]/.test(skill)) : role.skills;
  return skills.length === 0 ? undefined : random.pick(skills);
}

function callPlace(random: Random, place: string): string {
  return random.chance(0.12) ? random.pick([place, ...(PLACE_ALIASES[place] ?? [])]) : place;
}

function callRole(random: Random, role: Role): string {
  return random.chance(0.2) ? random.pick(role.aliases) : role.name;
}

function holdOut(
  random: Random,
  heldOutPairs: ReadonlySet<string>,
  samples: readonly Turn[],
): HeldOutQuestion[] {
  const asked = new Set(samples.map((sample) => sample.question));
  const heldOut: HeldOutQuestion[] = [];
  for (const unseen of ["pair", "wording", "both"] as const) {
    const target = heldOut.length + HELD_OUT_QUESTIONS[unseen];
    while (heldOut.length < target) {
      const place = random.pick(PLACES);
      const role = random.pick(ROLES);
      if (heldOutPairs.has(`${place} ${role.name}`) === (unseen === "wording")) continue;
      const { focus, template } = unseen === "pair" ? inventWording(random) : random.pick(HELD_OUT_BOTH);
      const skill = pickSkill(random, role, focus);
      if (NEEDS_SKILL.has(focus) && skill === undefined) continue;
      const slots = { P: place, R: role.name, ...(skill && { S: skill }) };
      const question = phrase(template, slots, random);
      if (focus === "apply" || asked.has(question)) continue;
      asked.add(question);
      heldOut.push({ question, place, role: role.name, unseen });
    }
  }
  return heldOut;
}

function inventWording(random: Random): { focus: Focus; template: string } {
  const focus = random.pick(FOCI);
  return { focus, template: random.pick(BOTH[focus]) };
}

if (fileURLToPath(import.meta.url) === process.argv[1]) {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: "models/recipe/out" },
      seed: { type: "string", default: String(DEFAULT_SEED) },
      count: { type: "string", default: String(DEFAULT_COUNT) },
      "held-out": { type: "string", default: "models/recipe/heldout.json" },
    },
  });
  const { samples, heldOut } = generateCorpus(Number(values.seed), Number(values.count));
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, "corpus.txt"), `${samples.map(formatSample).join("\n")}\n`);
  writeFileSync(values["held-out"], `${JSON.stringify(heldOut, null, 2)}\n`);
  process.stdout.write(`${samples.length} samples, ${heldOut.length} held-out questions\n`);
}
