import { FIELD_OF } from "./check.js";
import type { Expectation } from "./expectation.js";
import {
  type AskedField,
  type Demand,
  type DemandKind,
  FIELDS,
  type Field,
  type Language,
  type Posting,
  type Reply,
  type Role,
  type Split,
  TALKS,
  type Talk,
  type Wordings,
} from "./language.js";
import { free, key, unmarked } from "./marks.js";
import { inventPosting, isPossible } from "./posting.js";
import type { Random } from "./random.js";
import { nameFields, pickFields, type Style } from "./style.js";
import { choose, fill, phrase, type Slots, templatesOf } from "./template.js";

/** A question, and its answer with marks (`marks.ts`). */
export interface Turn {
  question: string;
  answer: string;
  expect: Expectation;
}

/** What a turn is about. The ones with `~` take up what was said before. */
export const ACTIONS = [
  "ask",
  "demand",
  "demands",
  "whether",
  "field",
  "place",
  "role",
  "unknown",
  "talk",
  "json",
  "jsonWhole",
  "~place",
  "~role",
  "~demand",
  "~field",
  "~another",
  "~nth",
  "~json",
  "~jsonWhole",
] as const;
export type Action = (typeof ACTIONS)[number];

/** Share of questions with words in them that say nothing, which prepare the model for wordings that it never saw. */
const DISTURBED_SHARE = 0.3;
const DISTURBED_FOLLOW_SHARE = 0.1;
/** Without a wish for fields, JSON has these, and those of the demands. */
const JSON_FIELDS: readonly Field[] = ["company", "place", "role", "pay", "work", "deadline"];
const BRIEF_FIELDS: readonly Field[] = ["pay", "deadline"];

/** Whether a pair of place and role belongs to the split. */
export type Pairs = (place: string, role: Role) => boolean;

interface Shown {
  posting: Posting;
  fields: readonly Field[];
}

/** One conversation as it goes on: what was shown, and what it was asked with. */
export class Scene {
  readonly #random: Random;
  readonly #language: Language;
  readonly #split: Split;
  readonly #style: Style;
  readonly #pairs: Pairs;
  readonly #isCorpus: boolean;
  #place: string | null = null;
  #role: Role | null = null;
  #demands: Demand[] = [];
  #shown: Shown | null = null;
  #list: { postings: Posting[]; fields: readonly Field[] } | null = null;
  readonly #companies = new Set<string>();
  /** The one demand that the next question is for. */
  #wanted: DemandKind | null = null;

  /**
   * @param split of the wordings
   * @param pairs which pairs of place and role it may ask for
   * @param isCorpus whether the answers are read as they are here: an evaluation's are the model's own
   */
  constructor(
    random: Random,
    language: Language,
    split: Split,
    style: Style,
    pairs: Pairs,
    isCorpus = split === "train",
  ) {
    this.#isCorpus = isCorpus;
    this.#random = random;
    this.#language = language;
    this.#split = split;
    this.#style = style;
    this.#pairs = pairs;
  }

  /** A turn, or null where the action doesn't fit here, or by chance: try another. */
  turn(action: Action, about?: Talk | DemandKind): Turn | null {
    const talk = TALKS.find((known) => known === about);
    this.#wanted = DEMAND_SHARES.find((known) => known === about) ?? null;
    switch (action) {
      case "ask":
      case "demand":
      case "demands":
      case "whether":
      case "field":
      case "json":
      case "jsonWhole":
        return this.#ask(action);
      case "place":
        return this.#askPlace();
      case "role":
        return this.#askRole();
      case "unknown":
        return this.#askUnknown();
      case "talk":
        return this.#talk(talk ?? this.#random.pick(TALK_SHARES));
      case "~place":
        return this.#otherPlace();
      case "~role":
        return this.#otherRole();
      case "~demand":
        return this.#addDemand();
      case "~field":
        return this.#askValue();
      case "~another":
        return this.#another();
      case "~nth":
        return this.#nth();
      case "~json":
      case "~jsonWhole":
        return this.#asJson(action);
    }
  }

  #ask(action: "ask" | "demand" | "demands" | "whether" | "field" | "json" | "jsonWhole"): Turn | null {
    const random = this.#random;
    const language = this.#language;
    const place = this.#pickPlace();
    const role = this.#pickRole();
    const isAllowed = this.#allows(place, role);
    if (isAllowed && !this.#pairs(place, role)) return null;
    const count = action === "demands" ? 2 : action === "demand" || action === "whether" ? 1 : 0;
    const demands = this.#inventDemands(role, count, action === "whether" ? WHETHER : DEMAND_SHARES);
    if (demands === null) return null;
    const slots: Slots = { P: this.#callPlace(place), R: this.#callRole(role) };
    let wordings = language.ask;
    let asked: Field[] = demands.map(({ kind }) => FIELD_OF[kind]);
    let json: readonly Field[] | null = null;
    if (action === "demand" || action === "demands") {
      wordings = language.askDemand;
      slots.D = this.#demandWords(demands);
    } else if (action === "whether") {
      const [demand] = demands as [Demand];
      wordings = language.askWhether[demand.kind] as Wordings;
      if (demand.kind === "skill") slots.S = demand.skill;
    } else if (action === "field") {
      const field = random.pick(ASKED_SHARES);
      if (!this.#canShow(field)) return null;
      wordings = language.askField[field];
      asked = [field];
    } else if (action === "json" || action === "jsonWhole") {
      if (this.#style.json?.fields) return null;
      json = action === "json" ? pickFields(random, FIELDS, 2, 4) : JSON_FIELDS;
      if (action === "json") slots.K = nameFields(random, language, json, this.#split);
      wordings = action === "json" ? language.askJson : language.askJsonWhole;
    }
    const question = this.#word(wordings, slots, DISTURBED_SHARE, action === "ask");
    if (!isAllowed) return this.#refuse(question, place);
    return this.#show(question, place, role, demands, {
      asked,
      json,
      reply:
        demands.length > 0
          ? language.answers.demand
          : action === "field"
            ? language.answers.field
            : language.answers.posting,
    });
  }

  /** Answers with a new posting. */
  #show(
    question: string,
    place: string,
    role: Role,
    demands: readonly Demand[],
    {
      asked,
      json = null,
      reply,
      differs = false,
      from,
    }: {
      asked: readonly Field[];
      json?: readonly Field[] | null;
      reply: Reply;
      differs?: boolean;
      /** A posting of a list, and what the list said of it. */
      from?: { posting: Posting; fields: readonly Field[]; index?: number };
    },
  ): Turn | null {
    const style = this.#style;
    const noRemote = demands.some(({ kind }) => kind === "remote") && !role.remote;
    const asJson = json !== null || style.json !== null;
    if (noRemote && (asJson || style.brief || style.fields)) return null;
    const posting =
      from?.posting ?? inventPosting(this.#random, this.#language, place, role, demands, this.#isCorpus);
    if (this.#companies.has(posting.company) && !from) return null;
    this.#companies.add(posting.company);
    const kept = demands.filter((demand) => !(demand.kind === "remote" && noRemote));
    this.#place = place;
    this.#role = role;
    this.#demands = kept;
    this.#list = null;
    const fields = this.#fieldsOf(asked, json);
    const sure = new Map<Field, true>([
      ["place", true],
      ["role", true],
    ]);
    for (const { kind } of kept) sure.set(FIELD_OF[kind], true);
    if (noRemote) sure.set("work", true);
    for (const field of from?.fields ?? []) sure.set(field, true);
    this.#shown = { posting, fields };
    const slots: Slots = { P: place, R: role.name, D: this.#saidDemands(kept) };
    if (reply === this.#language.answers.field) slots.F = this.#language.keys[asked[0] as Field];
    const used = noRemote ? this.#language.answers.noRemote : reply;
    return {
      question,
      answer: this.#posting(posting, fields, (field) => sure.has(field), used, slots, asJson),
      expect: {
        shape: "posting",
        ...{ place, role: role.name, demands: kept, fields },
        ...this.#form(asJson, json),
        ...(noRemote && { sign: "noRemote" as const }),
        ...(differs && { differs }),
        ...(from?.index !== undefined && { nth: from.index }),
      },
    };
  }

  #form(asJson: boolean, asked: readonly Field[] | null = null): Partial<Expectation> {
    const { brief, register, ending, json } = this.#style;
    if (asJson) return { json: json?.english && asked === null ? "english" : "own", oneLine: true };
    return { ...(brief ? { oneLine: true } : { register }), ...(ending !== null && { ending }) };
  }

  #fieldsOf(asked: readonly Field[], json: readonly Field[] | null): readonly Field[] {
    const style = this.#style;
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

  #posting(
    posting: Posting,
    fields: readonly Field[],
    isSure: (field: Field) => boolean,
    reply: Reply,
    slots: Slots,
    asJson: boolean,
  ): string {
    const { labels } = this.#language;
    const values = this.#language.values(posting);
    const marked = (field: Field) => (isSure(field) ? key(values[field]) : free(values[field]));
    if (asJson) return this.#object(posting, fields, isSure);
    if (this.#style.brief) {
      const parts = fields.map((field) => `${labels[field]}: ${marked(field)}`);
      return this.#ended(`${posting.place} ${posting.role.name} - ${parts.join(", ")}.`);
    }
    const lines = fields.map((field) => `${labels[field]}: ${marked(field)}`);
    return this.#ended(`${this.#say(reply, slots)}\n\n${lines.join("\n")}`);
  }

  #object(posting: Posting, fields: readonly Field[], isSure: (field: Field) => boolean): string {
    const values = this.#language.values(posting);
    const mark = (field: Field, text: string) => (isSure(field) ? key(text) : free(text));
    const entries = fields.map((field) => {
      const name = this.#style.json?.english && this.#style.json.fields ? field : this.#language.keys[field];
      const value =
        field === "skills"
          ? `[${posting.skills.map((skill) => JSON.stringify(mark(field, skill))).join(", ")}]`
          : JSON.stringify(mark(field, values[field]));
      return `${key(JSON.stringify(name))}: ${value}`;
    });
    return `{${entries.join(", ")}}`;
  }

  #say(reply: Reply, slots: Slots): string {
    return phrase(this.#random.pick(reply[this.#style.register]), slots, this.#random, this.#language);
  }

  #ended(text: string): string {
    const { ending, brief } = this.#style;
    return ending === null ? text : `${text}${brief ? " " : "\n\n"}${key(ending)}`;
  }

  #askPlace(): Turn | null {
    const place = this.#pickPlace();
    const question = this.#word(
      this.#language.askPlace,
      { P: this.#callPlace(place) },
      DISTURBED_SHARE / 2,
      false,
    );
    const { role } = this.#style;
    if (this.#style.place !== null && this.#style.place !== place) return this.#refuse(question, place);
    if (role !== null) {
      if (!this.#pairs(place, role)) return null;
      return this.#show(question, place, role, [], { asked: [], reply: this.#language.answers.posting });
    }
    const roles = this.#random.subset(
      this.#language.roles.filter((known) => !this.#isCorpus || this.#pairs(place, known)),
      3,
    );
    const postings = roles.map((known) =>
      inventPosting(this.#random, this.#language, place, known, [], this.#isCorpus),
    );
    return this.#showList(question, "role", postings, this.#language.answers.place, { P: place });
  }

  #askRole(): Turn | null {
    const role = this.#pickRole();
    const question = this.#word(
      this.#language.askRole,
      { R: this.#callRole(role) },
      DISTURBED_SHARE / 2,
      false,
    );
    const { place } = this.#style;
    if (this.#style.role !== null && this.#style.role !== role) return this.#refuse(question, null);
    if (place !== null) {
      if (!this.#pairs(place, role)) return null;
      return this.#show(question, place, role, [], { asked: [], reply: this.#language.answers.posting });
    }
    const places = this.#random.subset(
      this.#language.places.filter((known) => !this.#isCorpus || this.#pairs(known, role)),
      3,
    );
    const postings = places.map((known) =>
      inventPosting(this.#random, this.#language, known, role, [], this.#isCorpus),
    );
    return this.#showList(question, "place", postings, this.#language.answers.role, { R: role.name });
  }

  #showList(
    question: string,
    by: "place" | "role",
    postings: Posting[],
    reply: Reply,
    slots: { P: string } | { R: string },
  ): Turn | null {
    const style = this.#style;
    const { jsonWords } = this.#language;
    if (style.json?.fields) return null;
    const companies = new Set(postings.map((posting) => posting.company));
    if (companies.size < 3 || [...companies].some((company) => this.#companies.has(company))) return null;
    for (const company of companies) this.#companies.add(company);
    const texts = postings.map((posting) => this.#language.values(posting));
    const head = "P" in slots ? slots.P : slots.R;
    let answer: string;
    if (style.json) {
      const entries = postings.map((posting) => this.#object(posting, [by, "company", "pay"], () => false));
      answer = `{${JSON.stringify(jsonWords.postings)}: [${entries.join(", ")}]}`;
    } else if (style.brief) {
      answer = this.#ended(`${head}: ${texts.map((v) => free(`${v[by]} ${v.company}`)).join(", ")}.`);
    } else {
      const lines = texts.map((v) => `- ${free(`${v[by]}: ${v.company}, ${v.pay}`)}`);
      answer = this.#ended(`${this.#say(reply, slots)}\n\n${lines.join("\n")}`);
    }
    this.#place = by === "role" ? head : null;
    this.#role = by === "place" ? (postings[0]?.role ?? null) : null;
    this.#demands = [];
    this.#shown = null;
    this.#list = { postings, fields: style.brief ? ["company"] : ["company", "pay"] };
    return {
      question,
      answer,
      expect: {
        shape: "list",
        ...("P" in slots ? { place: slots.P } : { role: slots.R }),
        ...(!style.json && { includes: [head] }),
        ...this.#form(style.json !== null),
      },
    };
  }

  #askUnknown(): Turn | null {
    const random = this.#random;
    const language = this.#language;
    if (this.#style.place !== null || this.#style.role !== null) return null;
    const isPlace = random.chance(0.5);
    let place = isPlace ? random.pick(language.unknownPlaces) : random.pick(language.places);
    let role = isPlace ? random.pick(language.roles).name : random.pick(language.unknownRoles);
    const isShort = random.chance(0.3);
    // Beside a known role, a name that nobody knows can only be a place; beside a known place, only a role.
    if (this.#isCorpus && !isShort && random.chance(0.3)) {
      if (isPlace) place = language.inventPersona(random);
      else role = language.inventPersona(random);
    }
    const wordings = isShort ? (isPlace ? language.askPlace : language.askRole) : language.ask;
    const known = isPlace
      ? random.subset(language.places, 3)
      : random.subset(language.roles, 3).map(({ name }) => name);
    const sort = isPlace ? "unknownPlace" : "unknownRole";
    return this.#words(
      this.#word(wordings, { P: place, R: role }, 0, false),
      this.#say(language.answers[sort], { K: free(known.join(", ")) }),
      { sign: sort },
    );
  }

  /** An answer that shows no posting. */
  #words(question: string, said: string, expect: Partial<Expectation>): Turn {
    const { json, brief } = this.#style;
    const answer = json
      ? `{${JSON.stringify(this.#language.jsonWords.message)}: ${JSON.stringify(said.split("\n", 1)[0])}}`
      : this.#ended(brief ? firstOf(said) : said);
    const { json: _, ...form } = this.#form(json !== null);
    return {
      question,
      answer,
      expect: {
        shape: "words",
        ...expect,
        ...form,
        ...(brief && !json && { register: this.#style.register }),
        ...(json && { json: "own" as const }),
      },
    };
  }

  #refuse(question: string, place: string | null): Turn {
    const { place: onlyPlace, role: onlyRole } = this.#style;
    const isPlace = onlyPlace !== null && place !== onlyPlace;
    const said = isPlace
      ? this.#say(this.#language.answers.otherPlace, { P: key(onlyPlace) })
      : this.#say(this.#language.answers.otherRole, { R: (onlyRole as Role).name });
    const name = isPlace ? onlyPlace : (onlyRole as Role).name;
    return this.#words(question, said, {
      ...(!this.#style.brief && { sign: isPlace ? ("otherPlace" as const) : ("otherRole" as const) }),
      includes: [name],
    });
  }

  #talk(talk: Talk): Turn {
    const random = this.#random;
    const language = this.#language;
    const role = random.pick(language.roles);
    const question = this.#word(
      language.talk[talk],
      { P: random.pick(language.places), R: role.name, S: random.pick(role.skills) },
      DISTURBED_SHARE / 2,
      false,
    );
    const name = this.#style.persona ?? "JAI";
    const examples =
      talk === "greeting" || talk === "abilities"
        ? `\n\n${this.#say(language.answers.examplesStart, {})}\n${random
            .subset(language.answers.examples, 2)
            .map((example) => `- ${free(example)}`)
            .join("\n")}`
        : "";
    const says = this.#say(language.answers.talk[talk], { N: this.#style.persona === null ? name : name });
    const isNamed =
      talk === "about" ||
      talk === "name" ||
      talk === "abilities" ||
      (talk === "greeting" && !this.#style.brief);
    const marked = isNamed && this.#style.persona ? says.replace(name, key(name)) : says;
    return this.#words(question, `${marked}${examples}`, {
      ...(talk !== "name" && { sign: talk === "abilities" ? ("about" as const) : talk }),
      ...(isNamed && { includes: [name] }),
    });
  }

  #otherPlace(): Turn | null {
    const role = this.#role;
    if (role === null) return null;
    const language = this.#language;
    const listed =
      this.#list?.postings.filter((posting) => this.#place === null && posting.role === role) ?? [];
    const posting = this.#takes(listed) ? this.#random.pick(listed) : undefined;
    const place = posting?.place ?? this.#random.pick(language.places);
    if (place === this.#place) return null;
    const question = this.#word(
      language.follow.place,
      { P: this.#callPlace(place) },
      DISTURBED_FOLLOW_SHARE,
      false,
    );
    if (this.#style.place !== null && place !== this.#style.place) return this.#refuse(question, place);
    if (!posting && listed.some((known) => known.place === place)) return null;
    if (!posting && !this.#pairs(place, role)) return null;
    return this.#next(question, place, role, this.#demands, posting);
  }

  #otherRole(): Turn | null {
    const place = this.#place;
    if (place === null) return null;
    const language = this.#language;
    const listed =
      this.#list?.postings.filter((posting) => this.#role === null && posting.place === place) ?? [];
    const posting = this.#takes(listed) ? this.#random.pick(listed) : undefined;
    const role = posting?.role ?? this.#random.pick(language.roles);
    if (role === this.#role) return null;
    const question = this.#word(
      language.follow.role,
      { R: this.#callRole(role) },
      DISTURBED_FOLLOW_SHARE,
      false,
    );
    if (this.#style.role !== null && role !== this.#style.role) return this.#refuse(question, place);
    if (!posting && listed.some((known) => known.role === role)) return null;
    if (!posting && !this.#pairs(place, role)) return null;
    if (!this.#demands.every((demand) => isPossible(role, demand))) return null;
    return this.#next(question, place, role, this.#demands, posting);
  }

  #next(
    question: string,
    place: string,
    role: Role,
    demands: readonly Demand[],
    listed: Posting | undefined,
  ) {
    const { answers } = this.#language;
    const list = this.#list;
    return this.#show(question, place, role, listed ? [] : demands, {
      asked: demands.map(({ kind }) => FIELD_OF[kind]),
      reply: demands.length > 0 ? answers.demand : answers.posting,
      ...(listed &&
        list && { from: { posting: listed, fields: list.fields, index: list.postings.indexOf(listed) } }),
    });
  }

  #addDemand(): Turn | null {
    const place = this.#place;
    const role = this.#role;
    if (place === null || role === null || this.#demands.length > 1) return null;
    const [demand] = this.#inventDemands(role, 1, DEMAND_SHARES) ?? [];
    if (demand === undefined || this.#demands.some(({ kind }) => kind === demand.kind)) return null;
    if (demand.kind === "remote" && !role.remote && this.#demands.length > 0) return null;
    const demands = [...this.#demands, demand];
    const question = this.#word(
      this.#language.follow.demand,
      { D: this.#demandWords([demand]) },
      DISTURBED_FOLLOW_SHARE,
      false,
    );
    return this.#show(question, place, role, demands, {
      asked: demands.map(({ kind }) => FIELD_OF[kind]),
      reply: this.#language.answers.demand,
    });
  }

  #askValue(): Turn | null {
    const shown = this.#shown;
    if (shown === null || this.#style.json?.fields) return null;
    const known = ASKED_SHARES.filter((field) => shown.fields.includes(field));
    if (known.length === 0) return null;
    const language = this.#language;
    const field = this.#random.pick(known);
    const byName = this.#random.chance(0.4);
    const name =
      this.#split === "train" ? this.#random.pick(language.fieldNames[field]) : language.keys[field];
    const question = this.#word(
      byName ? language.follow.field : language.follow.fields[field],
      { F: name },
      DISTURBED_FOLLOW_SHARE,
      false,
    );
    const asJson = this.#style.json !== null;
    if (asJson) {
      return {
        question,
        answer: this.#object(shown.posting, [field], () => true),
        expect: { shape: "posting", fields: [field], copies: [field], json: "own", oneLine: true },
      };
    }
    const values = language.values(shown.posting);
    const said = this.#say(language.answers.value, { F: language.keys[field], V: values[field] });
    const answer = this.#ended(said.replace(values[field], key(values[field])));
    return {
      question,
      answer,
      expect: {
        shape: "value",
        copies: [field],
        ...this.#form(false),
        oneLine: this.#style.ending === null,
      },
    };
  }

  /** Whether to ask for a posting of the list. In an evaluation the model makes its own list, which nobody knows before. */
  #takes(listed: readonly Posting[]): boolean {
    return this.#isCorpus && listed.length > 0 && this.#random.chance(0.5);
  }

  #another(): Turn | null {
    const place = this.#place;
    const role = this.#role;
    if (place === null || role === null || this.#shown === null) return null;
    const question = this.#word(this.#language.follow.another, {}, DISTURBED_FOLLOW_SHARE, false);
    return this.#show(question, place, role, this.#demands, {
      asked: this.#demands.map(({ kind }) => FIELD_OF[kind]),
      reply: this.#language.answers.another,
      differs: true,
    });
  }

  #nth(): Turn | null {
    const list = this.#list;
    if (list === null) return null;
    const index = this.#random.int(0, list.postings.length - 1);
    const posting = list.postings[index] as Posting;
    const question = this.#word(
      this.#language.follow.nth,
      { N: this.#language.ordinals[index] as string },
      DISTURBED_FOLLOW_SHARE,
      false,
    );
    const turn = this.#show(question, posting.place, posting.role, [], {
      asked: [],
      reply: this.#language.answers.detail,
      from: { posting, fields: list.fields, index },
    });
    // Which place and role it is follows from the list alone.
    if (turn) {
      if (this.#style.place === null) delete turn.expect.place;
      delete turn.expect.role;
    }
    return turn;
  }

  #asJson(action: "~json" | "~jsonWhole"): Turn | null {
    const shown = this.#shown;
    if (shown === null || this.#style.json) return null;
    const known = FIELDS.filter(
      (field) => shown.fields.includes(field) || field === "place" || field === "role",
    );
    const fields =
      action === "~json"
        ? pickFields(this.#random, known, 2, 4)
        : known.filter((field) => JSON_FIELDS.includes(field));
    const slots =
      action === "~json" ? { K: nameFields(this.#random, this.#language, fields, this.#split) } : {};
    const wordings = action === "~json" ? this.#language.follow.json : this.#language.follow.jsonWhole;
    return {
      question: this.#word(wordings, slots, 0, false),
      answer: this.#object(shown.posting, fields, () => true),
      expect: {
        shape: "posting",
        fields,
        place: shown.posting.place,
        role: shown.posting.role.name,
        copies: fields.filter((field) => shown.fields.includes(field)),
        json: "own",
        oneLine: true,
      },
    };
  }

  #word(wordings: Wordings, slots: Slots, disturbedShare: number, replace: boolean): string {
    const chosen = choose(
      this.#random.pick(templatesOf(wordings, this.#split, this.#isCorpus)),
      this.#random,
    );
    const isDisturbed = this.#split === "train" && this.#random.chance(disturbedShare);
    return fill(
      isDisturbed ? this.#language.disturb(chosen, this.#random, replace) : chosen,
      slots,
      this.#language,
    );
  }

  #pickPlace(): string {
    const { place } = this.#style;
    return place !== null && this.#random.chance(0.6) ? place : this.#random.pick(this.#language.places);
  }

  #pickRole(): Role {
    const { role } = this.#style;
    return role !== null && this.#random.chance(0.6) ? role : this.#random.pick(this.#language.roles);
  }

  #allows(place: string, role: Role): boolean {
    const style = this.#style;
    return (style.place === null || style.place === place) && (style.role === null || style.role === role);
  }

  #canShow(field: Field): boolean {
    const { fields, json } = this.#style;
    return (fields === null || fields.includes(field)) && (!json?.fields || json.fields.includes(field));
  }

  #callPlace(place: string): string {
    const isAlias = this.#split === "train" && this.#random.chance(0.12);
    return isAlias ? this.#random.pick([place, ...(this.#language.placeAliases[place] ?? [])]) : place;
  }

  #callRole(role: Role): string {
    return this.#split === "train" && this.#random.chance(0.2) ? this.#random.pick(role.aliases) : role.name;
  }

  #inventDemands(role: Role, count: number, kinds: readonly DemandKind[]): Demand[] | null {
    const demands: Demand[] = [];
    for (let i = 0; i < count; i++) {
      const demand = this.#inventDemand(role, this.#wanted ?? this.#random.pick(kinds));
      if (demands.some(({ kind }) => kind === demand.kind)) return null;
      if (!isPossible(role, demand) && (demand.kind !== "remote" || count > 1)) return null;
      demands.push(demand);
    }
    return demands;
  }

  #inventDemand(role: Role, kind: DemandKind): Demand {
    const random = this.#random;
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

  #demandWords(demands: readonly Demand[]): string {
    return demands
      .map((demand, index) => {
        const words = this.#language.demands[demand.kind];
        const isLast = index === demands.length - 1;
        const template = isLast
          ? choose(this.#random.pick(templatesOf(words.asked, this.#split, this.#isCorpus)), this.#random)
          : words.saidAnd;
        return fill(template, this.#slotsOf(demand), this.#language);
      })
      .join(" ");
  }

  /** The demands as answers say them. */
  #saidDemands(demands: readonly Demand[]): string {
    return demands
      .map((demand, index) => {
        const { said, saidAnd } = this.#language.demands[demand.kind];
        return fill(index === demands.length - 1 ? said : saidAnd, this.#slotsOf(demand), this.#language);
      })
      .join(" ");
  }

  #slotsOf(demand: Demand): Slots {
    if (demand.kind === "skill") return { S: demand.skill };
    if (demand.kind === "deadline") return { M: this.#language.month(demand.month) };
    if (demand.kind === "pay") return { A: this.#language.amount(demand.amount, demand.per) };
    return {};
  }
}

const firstOf = (said: string) =>
  /^[^\n]*?[.!?](?=\s|$)/.exec(unmarked(said)) ? (said.split(/(?<=[.!?])\s/, 1)[0] as string) : said;

const WHETHER: readonly DemandKind[] = ["remote", "remote", "newcomer", "permanent", "skill"];
const DEMAND_SHARES: readonly DemandKind[] = [
  ...["remote", "remote", "remote", "newcomer", "newcomer", "permanent", "skill", "skill", "pay", "pay"],
  ...["deadline"],
] as DemandKind[];
const ASKED_SHARES: readonly AskedField[] = [
  ...[
    "pay",
    "pay",
    "pay",
    "deadline",
    "deadline",
    "work",
    "work",
    "duty",
    "skills",
    "experience",
    "contract",
  ],
] as AskedField[];
const TALK_SHARES: readonly Talk[] = [
  ...["greeting", "thanks", "thanks", "farewell", "about", "about", "name", "name", "abilities", "abilities"],
  ...["real", "outside", "outside", "outside", "outside", "outside", "outside"],
] as Talk[];
