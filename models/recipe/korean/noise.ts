import type { Random } from "../random.js";

/** Words that mean nothing in the domain, so that they don't change a question. */
const WORDS = (
  "그냥 정말 진짜 아주 빨리 천천히 급하게 가능하면 되도록 아무튼 사실 솔직히 어쩌면 아마 분명히 갑자기 드디어 여전히 벌써 아직 " +
  "다시 또 계속 우리 제가 나도 저도 동생이 언니가 형이 누나가 엄마가 아빠가 아는 사람이 선배가 후배가 남편이 아내가 딸이 아들이 " +
  "조카가 이웃이 다음 달부터 내년에 올해 봄에 여름에 가을에 겨울에 상반기에 하반기에 주말에는 평일에 아침마다 저녁에만 퇴근하고 " +
  "이사 왔는데 이사 가서 전역하고 휴학 중인데 복학 전에 쉬다가 그만두고 옮기려고 준비하는데 생각 중인데 알아보는 중이라 듣기로는 " +
  "소문에 기사에서 봤는데 누가 그러던데 전단지에 게시판에 인터넷에 신문에 현수막에 작은 큰 새로운 오래된 좋은 편한 조용한 가까운 " +
  "믿을 안정적인 바쁜 유명한 튼튼한 따뜻한 밝은 원하는 마땅한 적당한 소식 정보 이야기 기회 조건 목록 결과 내용 방향 동네 안쪽 " +
  "주변 일대 전체 한복판 시내 외곽 부탁드려요 보고 싶네 궁금하네 골라 줄래 뽑아 줄래 정리해 줘 훑어봐 줘 말해 봐 모아 줘 건네줘 " +
  "있을지 없을까 있으려나 되려나 가능할지 몰라서 고민이야 고민돼요 필요해요 급해요 하네요 하더라 한다던데 한다며 나온다는데 생긴다던데 " +
  "들어가려면 들어가고 지내면서 다니고 다니면서 맡고 맡을 해볼 하려는 하려던 하기 위한 하는지 하던 했던 하다가 할까 해보려고"
).split(" ");

const SYLLABLES =
  "가나다라마바사아자차고노도로모보소오조코구누두루무부수우주추기니디리미비시이지치강남당랑망방상앙장창금님든를면번선연전천한";

/** An irrelevant word: a common one, or one that doesn't exist. */
function strangeWord(random: Random): string {
  if (random.chance(0.65)) return random.pick(WORDS);
  return Array.from({ length: random.int(1, 4) }, () => random.pick([...SYLLABLES])).join("");
}

/**
 * Inserts one to four irrelevant words into a template and, with `replace`, puts some in place of words that aren't
 * slots. The model learns to look for the place and the role, whatever surrounds them.
 */
export function disturb(template: string, random: Random, replace: boolean): string {
  const words = template
    .split(" ")
    .map((word) => (replace && !word.includes("{") && random.chance(0.5) ? strangeWord(random) : word));
  for (let i = random.int(1, 4); i > 0; i--)
    words.splice(random.int(0, words.length), 0, strangeWord(random));
  return words.join(" ");
}
