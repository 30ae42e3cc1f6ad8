import type { Business } from "../language.js";
import type { Random } from "../random.js";
import { SUFFIXES } from "./companies.js";

/** Syllables of names. Most of them are one token. */
const COMMON = [
  ..."가나다라마바사아자하강고구규기남노도두동로루리미민별보봄산새서선소솔수승시아연영예온우운원유윤은이인재정조주준지진찬초태하한해현호화효희",
];
const RARE = {
  first: [..."ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ"].map((letter) =>
    "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ".indexOf(letter),
  ),
  middle: [..."ㅏㅐㅓㅔㅕㅗㅛㅜㅡㅣ"].map((letter) => letter.charCodeAt(0) - "ㅏ".charCodeAt(0)),
  /** None, ㄱ, ㄴ, ㄹ, ㅁ, ㅂ and ㅇ. */
  last: [0, 0, 0, 0, 1, 4, 8, 16, 17, 21],
};

/** Behind the syllables, so that no name reads like a company that exists. */
const NOUNS = (
  "구름 토끼 고래 여우 단추 나침반 그늘 조약돌 두루미 민들레 우산 별사탕 물안개 노을 도토리 나뭇잎 우물 참새 호두 나팔 바람 " +
  "눈꽃 서랍 연필 보름달 무지개 다람쥐 종이 동백 열쇠 부엉이 등대 굴뚝 자두 유자 단풍 거북 나루 소금 이슬 지도 고양이 감자 주전자 " +
  "사다리 모자 장화 풍선 달팽이 나비 꿀벌 양말 수박 당근 돛단배 오두막 징검다리 반딧불 솔방울 은하수 촛불 그네"
).split(" ");

const RARE_SHARE = 0.35;
const HANGUL = 0xac00;

function syllable(random: Random, rareShare: number): string {
  if (!random.chance(rareShare)) return random.pick(COMMON);
  const { first, middle, last } = RARE;
  return String.fromCharCode(
    HANGUL + (random.pick(first) * 21 + random.pick(middle)) * 28 + random.pick(last),
  );
}

const syllables = (random: Random, count: number, rareShare = 0) =>
  Array.from({ length: count }, () => syllable(random, rareShare)).join("");

const GROUPS = 5;
const grouped = Array.from({ length: GROUPS }, (_, group) =>
  COMMON.filter((_syllable, index) => index % GROUPS === group),
);

/** One of a million, so that a model copies it and can't know it by heart. No syllable comes twice in a row. */
export function inventCompanyOfMany(random: Random, business: Business, nth: number): string {
  const parts = Array.from({ length: random.int(2, 3) }, (_, index) =>
    random.pick(grouped[(nth + index) % GROUPS] ?? COMMON),
  );
  return `${parts.join("")}${random.pick(NOUNS)} ${random.pick(SUFFIXES[business])}`;
}

const TITLES = "꼬마 붉은 푸른 큰 작은 늙은 젊은 느린 빠른".split(" ");

/** A name that a system message gives. */
export function inventPersona(random: Random): string {
  const name = random.chance(0.15)
    ? `${syllables(random, random.int(1, 2))}${random.pick(NOUNS)}`
    : syllables(random, random.pick([2, 2, 2, 3, 3, 4]), RARE_SHARE);
  return random.chance(0.08) ? `${random.pick(TITLES)} ${name}` : name;
}

const WHEN =
  "내일도 언제나 항상 오늘 아침마다 늘 부디 모두 다시 꼭 그럼 이만 편히 천천히 올해도 봄처럼 매일 함께 잘 더".split(
    " ",
  );
const WHAT = (
  "마음 바람 꿈 웃음 길 소식 하늘 친구 노래 여행 햇살 시간 집 사람 기쁨 희망 용기 기운 인사 소망 축복 평화 미소 별빛 밥 커피 꽃 " +
  "건강 성공 사랑 나무 바다"
).split(" ");
const HOW =
  "따뜻한 푸른 즐거운 밝은 멋진 환한 고운 신나는 편안한 맑은 좋은 새로운 작은 커다란 든든한 알찬".split(" ");
const DO = (
  "웃어요 지내세요 쉬세요 걸어요 나눠요 챙기세요 꿈꿔요 지켜요 믿어요 노래해요 가득하길 넘치길 빌어요 바랍니다 기다려요 전합니다 " +
  "드립니다 물러갑니다 달려요 잊지 마세요 빛나길 찾으세요 오래가길 불러 주세요 돌아올게요 보세요"
).split(" ");
const MARKS = [..."..!!~?"];

const TAILS = ["요", "세요", "길", "게요", "다", "죠", "자", "네", "길 바라요", "시길"];

/** Words for the end of an answer. Many of them don't exist, so that the model reads them and can't go on by heart. */
export function inventEnding(random: Random): string {
  const known = [WHEN, HOW, WHAT, DO].filter(() => random.chance(0.55)).map((words) => random.pick(words));
  const words = known.map((word) => (random.chance(0.35) ? syllables(random, random.int(1, 4), 0.5) : word));
  if (words.length === 0 || random.chance(0.3))
    words.push(syllables(random, random.int(1, 3), 0.5) + random.pick(TAILS));
  return words.join(" ") + random.pick(MARKS);
}
