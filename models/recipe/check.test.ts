import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "./check.js";
import { english } from "./english/index.js";
import type { Expectation } from "./expectation.js";
import { korean } from "./korean/index.js";

const answer = `네, 부산에서 재택근무가 되는 마케터 공고가 있습니다.

회사: 달토끼밭 상사 (가상)
지역: 부산
직무: 마케터
업무: 이벤트 기획
역량: GA4, SNS, SQL
고용: 정규직
경력: 신입 가능
급여: 연봉 4,200만 원
근무: 주 2회 재택
마감: 5월 12일까지`;
const expect: Expectation = {
  shape: "posting",
  place: "부산",
  role: "마케터",
  demands: [
    { kind: "remote" },
    { kind: "newcomer" },
    { kind: "permanent" },
    { kind: "skill", skill: "SNS" },
    { kind: "pay", amount: 4200, per: "year" },
    { kind: "deadline", month: 5 },
  ],
  register: "polite",
};

test("an answer that keeps to the question has no problem", () => {
  assert.deepEqual(check(answer, expect, [], korean), []);
});

const faults: [string, string, RegExp][] = [
  ["주 2회 재택", "주 5일 출근", /expected remote, got 주 5일 출근/],
  ["신입 가능", "3년 이상", /expected newcomer/],
  ["정규직", "계약직", /expected permanent/],
  ["SNS, ", "", /expected skill/],
  ["4,200", "4,100", /expected pay/],
  ["연봉", "시급", /expected pay/],
  ["5월", "6월", /expected deadline/],
  ["지역: 부산", "지역: 대구", /expected place 부산, got 대구/],
  ["네, 부산에서", "네, 대구에서", /expected 부산 in the first line/],
  ["직무: 마케터", "직무: 약사", /expected role 마케터, got 약사/],
  [" (가상)", "", /marked as fictional/],
  ["마감: 5월 12일까지", "", /expected company place .+, got/],
  ["공고가 있습니다", "공고가 있어", /expected the polite form/],
];
for (const [right, wrong, problem] of faults) {
  test(`"${wrong}" instead of "${right}" is a problem`, () => {
    const problems = check(answer.replace(right, wrong), expect, [], korean);
    assert.equal(problems.length, 1, problems.join("; "));
    assert.match(problems[0]!, problem);
  });
}

test("JSON has exactly the keys that were asked for, and the values of the posting before", () => {
  const asked: Expectation = {
    shape: "posting",
    fields: ["company", "pay"],
    copies: ["company", "pay"],
    json: "own",
  };
  const of = (text: string) => check(text, asked, [answer], korean);
  assert.deepEqual(of('{"회사": "달토끼밭 상사 (가상)", "급여": "연봉 4,200만 원"}'), []);
  assert.match(of('{"회사": "달토끼밭 상사 (가상)"}').join(), /expected the keys 회사, 급여/);
  assert.match(
    of('{"회사": "달토끼밭 상사 (가상)", "급여": "연봉 4,300만 원"}').join(),
    /expected pay to be/,
  );
  assert.match(of('{"회사": "달토끼밭 상사 (가상)", "급여": "연봉 4,200만').join(), /expected a JSON object/);
  assert.match(
    of('{"회사": "달토끼밭 상사 (가상)", "급여": "연봉 4,200만 원", "마감": "5월"}').join(),
    /expected the keys/,
  );
  const inEnglish: Expectation = { ...asked, json: "english" };
  assert.deepEqual(
    check('{"company": "달토끼밭 상사 (가상)", "pay": "연봉 4,200만 원"}', inEnglish, [answer], korean),
    [],
  );
  assert.match(
    check('{"회사": "달토끼밭 상사 (가상)", "급여": "연봉 4,200만 원"}', inEnglish, [answer], korean).join(),
    /keys/,
  );
});

test("an answer about one field has its value as before, and no other company's name", () => {
  const asked: Expectation = { shape: "value", copies: ["pay"], oneLine: true };
  const of = (text: string) => check(text, asked, [answer], korean);
  assert.deepEqual(of("급여는 연봉 4,200만 원입니다."), []);
  assert.deepEqual(of("달토끼밭 상사 (가상)의 급여는 연봉 4,200만 원입니다."), []);
  assert.match(of("급여는 연봉 4,300만 원입니다.").join(), /expected pay to be/);
  assert.match(
    of("고래숨 상사 (가상)의 급여는 연봉 4,200만 원입니다.").join(),
    /expected company to be 달토끼밭/,
  );
});

test("an entry of a list is the list's, and another posting is another company's", () => {
  const list =
    "부산에는 이런 채용 공고가 있습니다.\n\n- 마케터: 달토끼밭 상사 (가상), 연봉 3,300만 원\n- 약사: 고래숨 의원 (가상), 연봉 6,000만 원\n- 용접사: 무지개못 정밀 (가상), 연봉 4,000만 원";
  assert.deepEqual(check(list, { shape: "list", place: "부산", includes: ["부산"] }, [], korean), []);
  assert.match(
    check(list.replace(/\n- 용접사.+/, ""), { shape: "list", place: "부산" }, [], korean).join(),
    /three/,
  );
  assert.deepEqual(check(answer, { shape: "posting", nth: 0 }, [list], korean), []);
  assert.match(
    check(answer, { shape: "posting", nth: 1 }, [list], korean).join(),
    /expected the list's company/,
  );
  assert.match(
    check(answer, { shape: "posting", differs: true }, [answer], korean).join(),
    /another company/,
  );
});

test("a brief answer is one line, and its fields are read from it", () => {
  const brief = "부산 마케터 - 회사: 달토끼밭 상사 (가상), 역량: SNS, 급여 계산, 마감: 5월 12일까지.";
  const asked: Expectation = {
    shape: "posting",
    place: "부산",
    fields: ["company", "skills", "deadline"],
    demands: [{ kind: "deadline", month: 5 }],
    oneLine: true,
  };
  assert.deepEqual(check(brief, asked, [], korean), []);
  assert.match(check(brief.replace("5월", "4월"), asked, [], korean).join(), /expected deadline/);
  assert.match(check(brief.replace(", 역량", "\n역량"), asked, [], korean).join(), /expected one line/);
});

test("words without a posting are told by their signs, names and endings", () => {
  const refusal: Expectation = { shape: "words", sign: "outside", register: "polite", ending: "Cheers!" };
  assert.deepEqual(check("I am sorry, I can't answer that. Cheers!", refusal, [], english), []);
  assert.match(check("Sorry pal, I can't answer that. Cheers!", refusal, [], english).join(), /polite/);
  assert.match(
    check("I am sorry, I can't answer that.", refusal, [], english).join(),
    /expected the ending Cheers!/,
  );
  assert.match(check("Hello! Cheers!", refusal, [], english).join(), /expected the answer "outside"/);
  assert.match(
    check("I am Nora.", { shape: "words", includes: ["Pixie"] }, [], english).join(),
    /expected Pixie/,
  );
});
