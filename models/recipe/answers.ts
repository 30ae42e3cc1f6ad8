import { withParticle } from "./particles.js";
import { inventPosting, type Posting } from "./posting.js";
import type { Random } from "./random.js";
import type { Role } from "./roles.js";
import type { Focus } from "./wordings.js";

/**
 * An answer to a question that names a place and a role: an opening that takes up the focus, then the posting. The opening
 * repeats only what was asked. A small model would misplace figures copied from the posting.
 */
export function answerBoth(
  random: Random,
  place: string,
  role: Role,
  focus: Focus,
  skill: string | undefined,
): string {
  const posting = inventPosting(random, place, role, {
    ...(skill !== undefined && { skill }),
    ...(focus === "remote" && { remote: true }),
    ...(focus === "newcomer" && { newcomer: true }),
    ...(focus === "permanent" && { permanent: true }),
  });
  const paragraphs = [opening(random, posting, focus, skill), details(posting)];
  if (focus === "apply") {
    paragraphs.push(
      "지어낸 공고라서 실제로 지원할 수는 없습니다. 진짜 공고라면 회사 채용 페이지에 이력서를 냅니다.",
    );
  } else if (random.chance(0.3)) {
    paragraphs.push(random.pick(CLOSINGS));
  }
  return paragraphs.join("\n\n");
}

const CLOSINGS = [
  "급여나 마감일이 궁금하면 더 물어보세요.",
  "다른 지역이나 직무도 물어보세요.",
  "이 공고는 연습용으로 지어낸 것입니다.",
];

function opening(random: Random, posting: Posting, focus: Focus, skill: string | undefined): string {
  const { place, role } = posting;
  const name = role.name;
  switch (focus) {
    case "any":
    case "apply":
      return random.pick([
        `네, ${place}에서 ${withParticle(name, "을")} 채용하는 공고가 있습니다.`,
        `${place}에서 ${withParticle(name, "을")} 찾는 회사를 알려드릴게요.`,
        `${place} ${name} 채용 공고입니다.`,
      ]);
    case "skill":
    case "tool":
      return `네, ${place}에서 ${skill} 역량을 보는 ${name} 공고가 있습니다.`;
    case "stack":
      return `${place} ${name} 공고에서 보는 역량은 아래와 같습니다.`;
    case "pay":
      return `${place} ${name} 공고의 급여는 아래와 같습니다.`;
    case "remote":
      return posting.remote
        ? `네, ${place}에서 재택근무가 되는 ${name} 공고가 있습니다.`
        : `${withParticle(name, "은")} 현장에서 일해야 해서 재택 공고는 없습니다. 대신 ${place}의 출근 공고를 알려드릴게요.`;
    case "newcomer":
      return `네, ${place}에서 신입도 지원할 수 있는 ${name} 공고가 있습니다.`;
    case "deadline":
      return `${place} ${name} 공고의 마감일은 아래와 같습니다.`;
    case "permanent":
      return `네, ${place}에서 정규직 ${withParticle(name, "을")} 채용하는 공고가 있습니다.`;
    case "duty":
      return `${place} ${name} 공고에서 맡는 일은 아래와 같습니다.`;
  }
}

function details(posting: Posting): string {
  return [
    `회사: ${posting.company} (가상)`,
    `지역: ${posting.place}`,
    `직무: ${posting.role.name}`,
    `하는 일: ${posting.duty}`,
    `필요 역량: ${posting.skills.join(", ")}`,
    `고용 형태: ${posting.permanent ? "정규직" : "계약직"}, ${posting.experience}`,
    `급여: ${posting.pay}`,
    `근무: ${posting.work}`,
    `마감: ${posting.deadline}`,
  ].join("\n");
}

/** An answer to a question that names a place alone: three postings of different roles. */
export function answerPlace(random: Random, place: string, roles: readonly Role[]): string {
  const lines = random
    .subset(roles, 3)
    .map((role) => inventPosting(random, place, role))
    .map((posting) => `- ${posting.role.name}: ${posting.company} (가상), ${posting.pay}`);
  const start = random.pick([
    `${place}에는 이런 채용 공고가 있습니다.`,
    `${place}에서 사람을 찾는 공고 세 건을 알려드릴게요.`,
  ]);
  return `${start}\n\n${lines.join("\n")}\n\n어떤 직무를 찾는지 알려주시면 더 자세히 안내해 드릴게요.`;
}

/** An answer to a question that names a role alone: three postings in different places. */
export function answerRole(random: Random, role: Role, places: readonly string[]): string {
  const lines = random
    .subset(places, 3)
    .map((place) => inventPosting(random, place, role))
    .map((posting) => `- ${posting.place}: ${posting.company} (가상), ${posting.pay}`);
  const start = random.pick([
    `${withParticle(role.name, "을")} 채용하는 공고 세 건입니다.`,
    `${role.name} 공고는 이런 지역에 있습니다.`,
  ]);
  return `${start}\n\n${lines.join("\n")}\n\n어느 지역을 찾는지 알려주시면 더 자세히 안내해 드릴게요.`;
}
