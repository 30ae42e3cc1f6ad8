import type { Business } from "../language.js";
import type { Random } from "../random.js";

/** Fanciful on purpose: none is meant to be a company that exists, and answers mark each one as fictional. */
const NAMES = (
  "구름보따리 달토끼밭 솔방울숲 반딧불골 종이고래 고래숨 여우비길 초록단추 하얀나침반 느티그늘 조약돌섬 두루미날개 " +
  "민들레우산 모래시계탑 별사탕통 물안개숲 노을갈피 도토리방 나뭇잎배 은하우물 참새다리 호두나팔 바람주머니 눈꽃서랍 " +
  "파도연필 보름창고 무지개못 다람쥐문 새벽종이 동백열쇠 푸른부엉이 꼬마등대 토끼굴뚝 자두구름 유자달빛 감나무별 " +
  "단풍배달 거북나루 소금꽃 이슬지도"
).split(" ");

export const SUFFIXES: Readonly<Record<Business, readonly string[]>> = {
  software: ["소프트", "랩스", "테크"],
  design: ["스튜디오", "디자인", "공방"],
  office: ["상사", "컴퍼니", "파트너스"],
  health: ["병원", "의원", "케어"],
  food: ["식당", "키친", "푸드"],
  logistics: ["로지스", "물류", "운송"],
  education: ["학원", "교육", "배움터"],
  factory: ["정밀", "산업", "제작소"],
  shop: ["상점", "라운지", "플러스"],
  building: ["건설", "설비", "종합관리"],
};

export function inventCompany(random: Random, business: Business): string {
  return `${random.pick(NAMES)} ${random.pick(SUFFIXES[business])}`;
}
