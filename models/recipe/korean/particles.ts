/** How words that don't end in Hangul are read; the particle after them follows the reading. */
const READINGS: Readonly<Record<string, string>> = {
  React: "리액트",
  react: "리액트",
  JAI: "제이에이아이",
  QA: "큐에이",
  PM: "피엠",
  UX: "유엑스",
  TypeScript: "타입스크립트",
  "Next.js": "넥스트제이에스",
  CSS: "씨에스에스",
  JavaScript: "자바스크립트",
  "Vue.js": "뷰제이에스",
  Java: "자바",
  Kotlin: "코틀린",
  Spring: "스프링",
  MySQL: "마이에스큐엘",
  PostgreSQL: "포스트그레스큐엘",
  Redis: "레디스",
  Kafka: "카프카",
  Swift: "스위프트",
  SwiftUI: "스위프트유아이",
  Unity: "유니티",
  "C#": "씨샵",
  "C++": "씨플러스플러스",
  Python: "파이썬",
  SQL: "에스큐엘",
  Excel: "엑셀",
  Tableau: "태블로",
  Spark: "스파크",
  Airflow: "에어플로",
  PyTorch: "파이토치",
  Docker: "도커",
  Kubernetes: "쿠버네티스",
  AWS: "에이더블유에스",
  Terraform: "테라폼",
  Linux: "리눅스",
  Figma: "피그마",
  Photoshop: "포토샵",
  Illustrator: "일러스트레이터",
  AutoCAD: "오토캐드",
  ERP: "이알피",
  PLC: "피엘씨",
  HTML: "에이치티엠엘",
  Jetpack: "젯팩",
  Selenium: "셀레늄",
  Jira: "지라",
  GA4: "지에이포",
  Verilog: "베릴로그",
  "Node.js": "노드제이에스",
  Go: "고",
  WMS: "더블유엠에스",
  CRM: "씨알엠",
  SNS: "에스엔에스",
  "After Effects": "애프터이펙트",
  "Premiere Pro": "프리미어프로",
};

const FORMS = {
  이: "가",
  을: "를",
  은: "는",
  과: "와",
  이라: "라",
  이라고: "라고",
  이야: "야",
  이에요: "예요",
  이나: "나",
  으로: "로",
} as const;

/** The same after every word. */
const INVARIABLE = ["에서", "에", "만", "도", "의"] as const;

/** A particle, named by its form after a consonant. */
export type Particle = keyof typeof FORMS | (typeof INVARIABLE)[number];

export const PARTICLES: readonly Particle[] = [...(Object.keys(FORMS) as Particle[]), ...INVARIABLE];

const RIEUL = 8;

/** `word` with the form of the particle that its last syllable asks for; a word that can't be read is an error. */
export function withParticle(word: string, particle: Particle): string {
  if (!(particle in FORMS)) return word + particle;
  const spoken = READINGS[word] ?? READINGS[word.split(" ").at(-1) ?? ""] ?? word;
  const code = spoken.charCodeAt(spoken.length - 1) - 0xac00;
  if (!(code >= 0 && code < 11172)) {
    throw new RangeError(`expected a word that ends in Hangul or has a reading, got ${JSON.stringify(word)}`);
  }
  const final = code % 28;
  const afterVowel = final === 0 || (particle === "으로" && final === RIEUL);
  return word + (afterVowel ? FORMS[particle as keyof typeof FORMS] : particle);
}
