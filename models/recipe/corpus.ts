import { takeTurn } from "./conversation.js";
import type { Expectation } from "./expectation.js";
import type { DemandKind, Language, Order, Role, Split, Talk } from "./language.js";
import { unmarked } from "./marks.js";
import { EVALUATION, inventOrders, inventStep, inventTurns, type Plan } from "./plans.js";
import { Random } from "./random.js";
import { type Pairs, Scene } from "./scene.js";
import { DEFAULT_STYLE, inventSystem, type Style } from "./style.js";
import type { Action, Turn } from "./turn.js";

export interface Conversation {
  system: string | null;
  turns: Turn[];
}

/** One conversation of an evaluation. The model gives its own answers; the last one is checked. */
export interface Question {
  kind: string;
  /** Whether training has the wordings, about other pairs. */
  wordings: "unseen" | "known";
  system: string | null;
  questions: string[];
  expect: Expectation;
}

/** How a model of the recipe is prompted. A message ends with `<|end|>`, which also ends an answer. */
export const CHAT_TEMPLATE = [
  "{% for message in messages %}",
  "{% if message.role == 'system' and not loop.first %}",
  "{{ raise_exception('expected a system message at the start alone, got one later') }}",
  "{% endif %}",
  "{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}",
  "{% endfor %}",
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
].join("");

export const DEFAULT_SEED = 20260131;

const HELD_OUT_SHARE = 0.1;
const DEV_SHARE = 0.05;

/** Which pairs of place and role no training sample answers: some are for the last evaluation, some for choosing. */
export class PairSplit {
  readonly #splits = new Map<string, Split>();
  readonly #shown: ReadonlySet<string>;

  /** @param shown pairs that the documentation shows, which stay in training */
  constructor(random: Random, { places, roles }: Language, shown: readonly string[] = []) {
    this.#shown = new Set(shown);
    const pairs = places.flatMap((place) => roles.map((role) => `${place} ${role.name}`));
    const held = Math.round(pairs.length * HELD_OUT_SHARE);
    const dev = Math.round(pairs.length * DEV_SHARE);
    random.sample(pairs, held + dev).forEach((pair, index) => {
      if (!this.#shown.has(pair)) this.#splits.set(pair, index < held ? "heldOut" : "dev");
    });
  }

  of(place: string, role: Role): Split {
    return this.#splits.get(`${place} ${role.name}`) ?? "train";
  }
}

/** Conversations of a training corpus: the same seed gives the same ones. */
export function* inventCorpus(
  language: Language,
  seed: number,
  count: number,
  pairs: PairSplit,
): Generator<Conversation> {
  const random = new Random(seed);
  for (let made = 0; made < count; made++) yield inventConversation(random, language, pairs);
}

function inventConversation(random: Random, language: Language, pairs: PairSplit): Conversation {
  for (;;) {
    const orders = inventOrders(random);
    const isTrained = (place: string, role: Role) => pairs.of(place, role) === "train";
    const { system, scene } = open(random, language, "train", isTrained, orders, true);
    const turns: Turn[] = [];
    const target = inventTurns(random);
    for (let tries = 0; turns.length < target && tries < 40; tries++) {
      const turn = takeTurn(scene, ...inventStep(random, turns.length, orders));
      if (turn) turns.push(turn);
    }
    if (turns.length > 0) return { system, turns };
  }
}

/** An evaluation about unseen pairs, in unseen wordings or in those of training. */
export function inventEvaluation(
  language: Language,
  split: "dev" | "heldOut",
  seed: number,
  pairs: PairSplit,
  { share = 1, wordings = "unseen" as Question["wordings"] } = {},
): Question[] {
  const random = new Random(seed);
  const made = new Set<string>();
  return EVALUATION.flatMap(([kind, count, plan]) => {
    const questions: Question[] = [];
    for (let tries = 0; questions.length < Math.ceil(count * share) && tries < 20_000; tries++) {
      const question = follow(random, language, split, wordings, pairs, kind, plan);
      // Fewer wordings than questions: the same one may come again where nothing else in it can vary.
      const text = question && JSON.stringify([question.system, question.questions]);
      if (question === null || text === null || (made.has(text) && tries < 10_000)) continue;
      made.add(text);
      questions.push(question);
    }
    return questions;
  });
}

function follow(
  random: Random,
  language: Language,
  split: Split,
  wordings: Question["wordings"],
  pairs: PairSplit,
  kind: string,
  plan: Plan,
): Question | null {
  const wording = wordings === "known" ? "train" : split;
  const isOfSplit = (place: string, role: Role) => pairs.of(place, role) === split;
  const { system, scene } = open(random, language, wording, isOfSplit, plan.orders, false);
  const turns: Turn[] = [];
  for (const step of plan.steps) {
    const [action, about] = step.split(" ") as [Action, (Talk | DemandKind)?];
    const turn = takeTurn(scene, action, about);
    if (turn === null) return null;
    turns.push(turn);
  }
  return {
    ...{ kind, wordings, system },
    questions: turns.map(({ question }) => question),
    expect: (turns.at(-1) as Turn).expect,
  };
}

function open(
  random: Random,
  language: Language,
  split: Split,
  isAllowed: Pairs,
  orders: readonly Order[],
  isCorpus: boolean,
) {
  let system: string | null = null;
  let style: Style = DEFAULT_STYLE;
  if (orders.length > 0) ({ text: system, style } = inventSystem(random, language, split, orders, isCorpus));
  return { system, scene: new Scene(random, language, split, style, isAllowed, isCorpus) };
}

/** A conversation as a model reads it: what `CHAT_TEMPLATE` gives. */
export function format({ system, turns }: Conversation): string {
  const said = (role: string, content: string) => `<|${role}|>${content}<|end|>`;
  const start = system === null ? "" : said("system", system);
  return turns.reduce(
    (text, { question, answer }) => text + said("user", question) + said("assistant", unmarked(answer)),
    start,
  );
}
