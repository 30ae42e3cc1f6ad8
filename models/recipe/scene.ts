import type {
  AskedField,
  Demand,
  Field,
  Language,
  Posting,
  Reply,
  Role,
  Split,
  Wordings,
} from "./language.js";
import { inventPosting } from "./posting.js";
import type { Random } from "./random.js";
import type { Style } from "./style.js";
import { choose, fill, phrase, type Slots, templatesOf } from "./template.js";

/** Share of questions with words in them that say nothing, which prepare the model for wordings that it never saw. */
export const DISTURBED_SHARE = 0.3;
export const DISTURBED_FOLLOW_SHARE = 0.1;
/** A corpus has more of them than the held-out questions in known wordings. */
const CORPUS_FACTOR = 1.5;

/** How often a question for one field is for this one. */
export const ASKED_SHARES: readonly AskedField[] = [
  ...(["pay", "pay", "pay", "deadline", "deadline", "work", "work"] as const),
  ...(["duty", "skills", "experience", "contract"] as const),
];

/** Whether a pair of place and role belongs to the split. */
export type Pairs = (place: string, role: Role) => boolean;

/** One conversation as it goes on: what was shown, and what it was asked with. */
export class Scene {
  readonly random: Random;
  readonly language: Language;
  readonly split: Split;
  readonly style: Style;
  readonly pairs: Pairs;
  readonly isCorpus: boolean;
  place: string | null = null;
  role: Role | null = null;
  demands: readonly Demand[] = [];
  shown: { posting: Posting; fields: readonly Field[] } | null = null;
  list: { postings: readonly Posting[]; fields: readonly Field[] } | null = null;
  readonly companies = new Set<string>();

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
    isCorpus: boolean,
  ) {
    this.isCorpus = isCorpus;
    this.random = random;
    this.language = language;
    this.split = split;
    this.style = style;
    this.pairs = pairs;
  }

  remember(what: Partial<Pick<Scene, "place" | "role" | "demands" | "shown" | "list">>): void {
    Object.assign(this, what);
  }

  /** A question in one of the split's wordings. */
  word(wordings: Wordings, slots: Slots, disturbedShare: number, replace = false): string {
    const chosen = choose(this.random.pick(templatesOf(wordings, this.split, this.isCorpus)), this.random);
    const share = this.isCorpus ? CORPUS_FACTOR * disturbedShare : disturbedShare;
    const isDisturbed = this.split === "train" && this.random.chance(share);
    return fill(
      isDisturbed ? this.language.disturb(chosen, this.random, replace) : chosen,
      slots,
      this.language,
    );
  }

  say(reply: Reply, slots: Slots): string {
    return phrase(this.random.pick(reply[this.style.register]), slots, this.random, this.language);
  }

  /** @param index of the posting in its answer */
  invent(place: string, role: Role, demands: readonly Demand[] = [], index = 0): Posting {
    const nth = this.isCorpus ? this.companies.size + index : null;
    return inventPosting(this.random, this.language, place, role, demands, nth);
  }

  pickPlace(): string {
    const { place } = this.style;
    return place !== null && this.random.chance(0.6) ? place : this.random.pick(this.language.places);
  }

  pickRole(): Role {
    const { role } = this.style;
    return role !== null && this.random.chance(0.6) ? role : this.random.pick(this.language.roles);
  }

  /** Whether the system message lets it answer about these. */
  allows(place: string | null, role: Role | null): boolean {
    const { style } = this;
    return (style.place === null || style.place === place) && (style.role === null || style.role === role);
  }

  /** The place as a question calls it. */
  callPlace(place: string): string {
    const isAlias = this.split === "train" && this.random.chance(0.12);
    return isAlias ? this.random.pick([place, ...(this.language.placeAliases[place] ?? [])]) : place;
  }

  callRole(role: Role): string {
    return this.split === "train" && this.random.chance(0.2) ? this.random.pick(role.aliases) : role.name;
  }
}
