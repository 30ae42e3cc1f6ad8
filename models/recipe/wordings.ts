import { PARTICLES, type Particle, withParticle } from "./particles.js";
import type { Random } from "./random.js";

/** The subject of a question, besides place and role; a `tool` is a skill that one uses, such as Excel. */
export type Focus =
  | "any"
  | "skill"
  | "tool"
  | "stack"
  | "pay"
  | "remote"
  | "newcomer"
  | "deadline"
  | "permanent"
  | "duty"
  | "apply";

/** The words that fill `{P}` (place), `{R}` (role) and `{S}` (skill); a slot may name a particle, as in `{R을}`. */
export interface Slots {
  P?: string;
  R?: string;
  S?: string;
}

const SLOT = new RegExp(`\\{([PRS])(${PARTICLES.join("|")})?\\}`, "g");
const CHOICE = /\(([^()]*)\)/;

/** One wording of a template: picks one side of every `(a|b)`, then fills the slots. */
export function phrase(template: string, slots: Slots, random: Random): string {
  return fill(choose(template, random), slots);
}

/** Picks one side of every `(a|b)`. */
export function choose(template: string, random: Random): string {
  let text = template;
  for (let choice = CHOICE.exec(text); choice; choice = CHOICE.exec(text)) {
    text =
      text.slice(0, choice.index) +
      random.pick((choice[1] ?? "").split("|")) +
      text.slice(choice.index + choice[0].length);
  }
  return text;
}

/** Fills the slots; one that has no word is an error. */
export function fill(text: string, slots: Slots): string {
  return text
    .replace(SLOT, (slot, key: keyof Slots, particle?: Particle) => {
      const word = slots[key];
      if (word === undefined) throw new Error(`expected a word for ${slot} in ${JSON.stringify(text)}`);
      return particle ? withParticle(word, particle) : word;
    })
    .replace(/ +/g, " ")
    .trim();
}

const IS_THERE = "(있어|있어요|있나요|있을까|있을까요|있니|있나|있습니까)(?|?|)";
const TELL =
  "(알려줘|알려줘|알려 줘|알려줘요|알려주세요|알려 주세요|알려줄래|알려주실래요?|찾아줘|찾아주세요|찾아 줘|보여줘|보여주세요|추천해줘|추천해 주세요|소개해줘)(|.)";
const HIRING = "(채용|채용|공고|채용 공고|일자리|자리|구인|모집 공고|구인 공고)";
const HIRE = "(뽑는|채용하는|구하는|모집하는|찾는|채용 중인|모집 중인)";
const KNOW =
  "(알려줘|알려줘|알려 줘|알려줘요|알려주세요|알려 주세요|알려줄래?|말해줘|궁금해|궁금해요|좀 알려줘)";
const WHERE = "(곳|회사|데|업체|기업)";
const AT = "(에서|에|에서|쪽| 쪽에|근처에| 근처에|에서는| 지역에서| 지역|에 있는|)";
const WANT = "(일하고 싶어|일하고 싶어요|일하고 싶은데|취업하고 싶어|지원하고 싶어요)";
const PLEASE = "(|좀|혹시|요즘|지금|)";

/** Wordings that name both a place and a role. */
export const BOTH: Readonly<Record<Focus, readonly string[]>> = {
  any: [
    `${PLEASE} {P}${AT} {R} ${HIRING} ${IS_THERE}`,
    `{P}에서 {R} ${HIRING} ${IS_THERE}`,
    `{P}에서 {R} ${HIRE} ${WHERE} ${TELL}`,
    `{P}${AT} {R} ${HIRE} ${WHERE} ${IS_THERE}`,
    `{P}${AT} {R을} ${HIRE} ${WHERE} ${TELL}`,
    `{R} ${HIRE} ${WHERE} {P}에 ${IS_THERE}`,
    `{R} ${HIRING} {P}${AT} ${IS_THERE}`,
    `{R} ${HIRING} ${TELL} {P}(으로|쪽으로|에서)`,
    `{P} {R} ${HIRING} ${TELL}`,
    `{P} {R} ${HIRING}`,
    `{P} {R}`,
    `{R} {P}`,
    `{P}에서 {R으로} ${WANT}`,
    `저는 {R}인데 {P}에서 일할 ${WHERE} ${IS_THERE}`,
    `{P}에 살고 있는데 {R} ${HIRING} ${IS_THERE}`,
    `{P}에서 {R} 구(해|해요|하나요|합니까)?`,
    `{P}에서 {R} 뽑(아|아요|나요|습니까|니)?`,
    `{R이에요}. {P} 쪽 ${HIRING} ${TELL}`,
    `{P}에 {R} 자리 (나왔어|나왔나요|났어|났나요)?`,
    `(안녕하세요|안녕|저기요)(.|,) {P}에서 {R} ${HIRING} ${IS_THERE}`,
    `{P}에서 {R} ${HIRING} (좀 |)(볼 수 있을까요?|보고 싶어|보고 싶습니다|궁금해요|궁금합니다|부탁해|부탁드립니다)`,
    `{R} 채용(하는|하고 있는) {P} ${WHERE} ${TELL}`,
    `{P} 근처 {R} ${HIRING} (뭐|어떤 게|어떤 것이) (있어|있어요|있나요)?`,
    `{P}에서 {R} 일 (구하려면|구하는데|찾는데|찾고 있어|찾고 있어요)(| 도와줘| 좋은 곳 있어?)`,
    `내가 {P}에 사는데 {R} ${HIRE} 데 ${IS_THERE}`,
    `{R으로} {P}에서 이직(하고 싶어|하려는데 갈 만한 곳 있어?|하려고 합니다)`,
  ],
  skill: [
    `{P}에서 {S을} (보는|요구하는|우대하는) {R} ${HIRING} ${IS_THERE}`,
    `{P} {R} ${HIRING} 중에 {S이} (필요한|중요한) ${WHERE} ${IS_THERE}`,
    `{S} (경험 있는|자신 있는|되는) {R}인데 {P}에 자리 ${IS_THERE}`,
    `{S} {R} {P} ${HIRING} ${TELL}`,
    `{P}${AT} {S} 되는 {R} ${HIRE} ${WHERE} ${IS_THERE}`,
    `{R} {S} {P} ${HIRING} ${IS_THERE}`,
    `{P}에서 {R} 하려는데 {S} (필요한 곳|보는 곳|우대하는 곳|경험 보는 곳) ${IS_THERE}`,
  ],
  tool: [
    `{P}에서 {S} (쓰는|사용하는|다루는) {R} ${HIRING} ${IS_THERE}`,
    `{P}에서 {S을} (쓰는|사용하는|다루는) {R} ${HIRE} ${WHERE} ${TELL}`,
    `{P} {R} ${HIRING} 중에 {S} (쓰는|사용하는) ${WHERE} ${IS_THERE}`,
    `{S} 할 줄 아는 {R}인데 {P}에 자리 ${IS_THERE}`,
    `{P}${AT} {S} (아는|잘하는) {R} ${HIRE} ${WHERE} ${IS_THERE}`,
  ],
  stack: [
    `{P}에서 {R} 하려면 (어떤 기술이|뭐가|무슨 기술이|무엇이) (필요해|필요해요|필요한가요|필요합니까)?`,
    `{P} {R} ${HIRING}에서는 (어떤 기술|어떤 역량|무슨 기술|무엇)을 (봐|보나요|요구해|요구하나요|원해)?`,
    `{P} {R} (자격 요건|필요 기술|요구 역량|자격 조건)(이 뭐야?|이 뭔가요?|은?| 알려줘| 알려주세요)`,
    `{P}에서 {R} 뽑을 때 (뭘 봐|무엇을 보나요|어떤 기술을 봐요)?`,
  ],
  pay: [
    `{P} {R} (연봉|급여|월급|페이|보수) (얼마야|얼마예요|얼마인가요|얼마나 돼|얼마나 되나요|어느 정도야|어느 정도인가요|어때)?`,
    `{P}에서 {R으로} 일하면 (얼마 받아|얼마나 받아|얼마 받아요|얼마나 받나요|급여가 어떻게 돼)?`,
    `{P}에서 {R} (연봉|급여|돈) (많이 주는|잘 주는|높은) ${WHERE} ${TELL}`,
    `{P} {R} ${HIRING} (연봉|급여) ${KNOW}`,
    `{R} {P} (연봉|급여|보수) (얼마|얼마야?|알려줘|궁금해)`,
    `{P}에서 {R} ${HIRE} ${WHERE}에서는 보수를 얼마나 (줘|주나요|줍니까)?`,
  ],
  remote: [
    `{P} {R} ${HIRING} 중에 재택(근무|) (되는|가능한) ${WHERE} ${IS_THERE}`,
    `{P}에서 재택(근무|) (되는|가능한) {R} ${HIRING} ${TELL}`,
    `{P} {R} 재택(근무|) (돼|되나요|가능해|가능한가요|가능해요|할 수 있어)?`,
    `재택근무 되는 {R} ${HIRING} {P}에 ${IS_THERE}`,
    `집에서 일할 수 있는 {P} {R} ${HIRING} ${IS_THERE}`,
  ],
  newcomer: [
    `{P}에서 신입 {R} ${HIRING} ${IS_THERE}`,
    `{P}에서 {R} 신입(도|으로) (뽑아|뽑나요|지원할 수 있어|지원할 수 있나요|가능해|가능한가요)?`,
    `신입 {R}인데 {P}에 갈 수 있는 ${WHERE} ${TELL}`,
    `{P} {R} 경력 없어도 (돼|되나요|가능해|가능한가요)?`,
    `{P} 신입 {R} ${HIRE} ${WHERE} ${TELL}`,
    `경력 없는데 {P}에서 {R} (할 수 있어|할 수 있나요|될까|될까요)?`,
  ],
  deadline: [
    `{P} {R} ${HIRING} (마감|마감일)(이 언제야|이 언제예요|이 언제인가요|은 언제야|은 언제까지)?`,
    `{P} {R} 언제까지 (지원할 수 있어|지원할 수 있나요|지원해야 해|모집해|모집하나요)?`,
    `{P}에서 {R} ${HIRE} ${WHERE} (마감일|마감 날짜) ${KNOW}`,
    `{R} {P} ${HIRING} (마감|마감일) ${KNOW}`,
  ],
  permanent: [
    `{P}에서 정규직 {R} ${HIRING} ${IS_THERE}`,
    `{P} {R} 정규직(으로|) ${HIRE} ${WHERE} ${TELL}`,
    `{P} {R} 정규직(이야|인가요|이에요|일까)?`,
    `정규직으로 {R} 하고 싶은데 {P}에 ${WHERE} ${IS_THERE}`,
  ],
  duty: [
    `{P}에서 {R으로} 일하면 (무슨 일을|어떤 일을|뭘|무엇을) (해|하나요|해요|합니까|하게 돼)?`,
    `{P} {R} ${HIRING}에서 (무슨 일|어떤 일)(을|) (해|하나요|하는 거야|하는 건가요)?`,
    `{P} {R} (업무|담당 업무)(가 뭐야?|가 뭔가요?| 알려줘| 알려주세요|가 궁금해)`,
  ],
  apply: [
    `{P} {R} ${HIRING}에 (어떻게 지원해|어떻게 지원하나요|지원하려면 어떻게 해|지원하는 방법 알려줘|지원 방법 알려주세요)?`,
    `{P}에서 {R} 지원(하려면 어떻게 해야 해|은 어떻게 해|은 어디서 하나요|하고 싶은데 방법 알려줘)?`,
    `{P} {R} 지원 (방법 알려줘|방법 좀 알려주세요|어떻게 해?)`,
  ],
};

/** Wordings that training never sees; held-out questions are asked in them. */
export const HELD_OUT_BOTH: readonly { focus: Focus; template: string }[] = [
  { focus: "any", template: "{P} 쪽으로 {R} 사람 구한다는 (공고|글) 있으면 (보여줄래?|보내줘)" },
  { focus: "any", template: "이번에 {P}에서 {R} 채용 (열린|올라온) 거 있어?" },
  { focus: "any", template: "{R} 일을 찾는 중이에요. {P} 안에서 갈 만한 회사가 있을까요?" },
  { focus: "any", template: "{P} 부근에서 {R을} 새로 들이려는 회사 좀 골라줘" },
  { focus: "any", template: "친구가 {R}인데 {P}에서 일하고 싶대. 괜찮은 자리 있어?" },
  { focus: "skill", template: "{S} 쪽은 자신 있는 {R}인데 {P}에 맞는 회사 있나요?" },
  { focus: "pay", template: "{P}에서 {R} 하면 대략 얼마쯤 벌 수 있어?" },
  { focus: "remote", template: "{P} 회사인데 {R을} 재택으로 쓰는 곳 있으려나?" },
  { focus: "newcomer", template: "갓 졸업했는데 {P}에서 신입 {R} 받아주는 곳 있을까요?" },
  { focus: "deadline", template: "{P} {R} 모집이 며칠에 끝나는지 알고 싶어요" },
];

/** Wordings that name a place alone. */
export const PLACE_ONLY: readonly string[] = [
  `{P}${AT} ${HIRING} ${IS_THERE}`,
  `{P}에서 사람 ${HIRE} ${WHERE} ${TELL}`,
  `{P} ${HIRING} ${TELL}`,
  `{P}에서 ${WANT}`,
  `{P}에 (무슨|어떤) ${HIRING} (있어|있나요)?`,
  `{P} ${HIRING}`,
  `{P}에 사는데 일할 ${WHERE} ${IS_THERE}`,
  `{P}에서 (뭐|누구|누굴|어떤 사람|어떤 직무를|무슨 직무를) (뽑아|구해|채용해|모집해|찾아)(|요)(|?)`,
  `{P}에서 (뭐|누구를|어떤 사람을) (뽑나요|구하나요|채용하나요|찾나요)(|?)`,
  `{P}(|에|에는|에서는) ${HIRING} (뭐|뭐가|어떤 게|어떤 거) (있어|있어요|있나요)(|?)`,
  `{P}에서 (무슨 일을|어떤 일을|뭘) (할 수 있어|구할 수 있어|찾을 수 있어)(|요)(|?)`,
  `{P}에서 (일|일자리|직장) (구해요|구하고 싶어|찾아요|찾고 있어|구하는 중)(|.)`,
  `{P}에 (갈 만한 회사|일할 곳|다닐 만한 회사) ${IS_THERE}`,
  `{P} ${WHERE} ${TELL}`,
  `{P}(|?|요)`,
];

/** Wordings that name a role alone. */
export const ROLE_ONLY: readonly string[] = [
  `{R} ${HIRING} ${IS_THERE}`,
  `{R} ${HIRE} ${WHERE} ${TELL}`,
  `{R을} ${HIRE} ${WHERE} ${IS_THERE}`,
  `{R} ${HIRING} ${TELL}`,
  `{R으로} ${WANT}`,
  `{R} ${HIRING}`,
  `저는 {R}인데 일할 ${WHERE} ${IS_THERE}`,
  `{R} (채용|구인|모집|공고) 어디서 (해|해요|하나요|하니|하고 있어|하는지 알려줘|볼 수 있어)(|?)`,
  `({R}|{R은}|{R을}) 어디서 (뽑아|구해|찾아|채용해|모집해)(|요)(|?)`,
  `(어디|어느 지역|어느 회사|어느 동네|어떤 회사)에서 ({R}|{R을}) (뽑아|구해|찾아|채용해|모집해)(|요)(|?)`,
  `어디서 ({R}|{R을}) (뽑아|구해|찾아|채용해|모집해|뽑나요|구하나요)(|?)`,
  `{R} ${HIRE} (곳이|회사가|데가|지역이) (어디야|어디예요|어디인가요|어디 있어)(|?)`,
  `{R} ${HIRING} 어디(|에) (있어|있어요|있나요)(|?)`,
  `({R}|{R은}) (뽑아|뽑아요|뽑나요|구해|구해요|구하나요|채용해|채용하나요)(|?)`,
  `{R} 일 (하고 싶어|구해요|찾아요|찾고 있어|구하는 중)(|.)`,
  `{R} (하려면|하고 싶은데) 어디로 (가|가야 해|가야 하나요|가면 돼|지원해)(|?)`,
  `{R}(|?|요)`,
];
