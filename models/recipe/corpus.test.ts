import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { DEFAULT_COUNT, DEFAULT_SEED, formatSample, generateCorpus } from "./corpus.js";
import { PLACES } from "./places.js";
import { Random } from "./random.js";
import { ROLES } from "./roles.js";
import { BOTH, HELD_OUT_BOTH, PLACE_ONLY, phrase, ROLE_ONLY } from "./wordings.js";

const corpus = generateCorpus(7, 3000);
const text = corpus.samples.map(formatSample).join("\n");

test("a seed and a count give one corpus", () => {
  assert.deepEqual(generateCorpus(7, 200), generateCorpus(7, 200));
  assert.notDeepEqual(generateCorpus(8, 200).samples, generateCorpus(7, 200).samples);
});

test("a sample is laid out as the model is prompted", () => {
  assert.equal(
    formatSample({ question: "서울?", answer: "네,\n서울." }),
    "[QUESTION]\n서울?\n[/QUESTION]\n\n[ANSWER]\n네,\n서울.\n[/ANSWER]\n[EOS]",
  );
});

test("200 questions are held out, and training asks none of them", () => {
  assert.equal(corpus.heldOut.length, 200);
  assert.equal(new Set(corpus.heldOut.map((entry) => entry.question)).size, 200);
  const asked = new Set(corpus.samples.map((sample) => sample.question));
  for (const { question } of corpus.heldOut) assert.ok(!asked.has(question), question);
});

test("the held-out questions beside the recipe are those of the default seed", () => {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const written = JSON.parse(readFileSync(join(root, "models", "recipe", "heldout.json"), "utf8"));
  assert.deepEqual(generateCorpus(DEFAULT_SEED, DEFAULT_COUNT).heldOut, written);
});

test("a held-out pair is never answered in training", () => {
  const seen = new Set(
    corpus.samples.map(({ answer }) => {
      const place = /^지역: (.+)$/m.exec(answer)?.[1];
      const role = /^직무: (.+)$/m.exec(answer)?.[1];
      return `${place} ${role}`;
    }),
  );
  assert.ok(seen.size > 1000);
  for (const pair of corpus.heldOutPairs) assert.ok(!seen.has(pair), pair);
  for (const { place, role, unseen } of corpus.heldOut) {
    assert.equal(corpus.heldOutPairs.has(`${place} ${role}`), unseen !== "wording");
  }
});

test("a held-out wording is not one of those in training", () => {
  const trained = new Set([...Object.values(BOTH).flat(), ...PLACE_ONLY, ...ROLE_ONLY]);
  for (const { template } of HELD_OUT_BOTH) assert.ok(!trained.has(template), template);
});

test("an answer names the place and the role of its posting in its first line", () => {
  for (const { answer } of corpus.samples) {
    const place = /^지역: (.+)$/m.exec(answer)?.[1];
    const role = /^직무: (.+)$/m.exec(answer)?.[1];
    if (!place || !role) continue;
    const first = answer.split("\n", 1)[0] as string;
    assert.ok(first.includes(place) && first.includes(role), answer);
    assert.ok(PLACES.includes(place));
    assert.ok(ROLES.some((known) => known.name === role));
  }
});

test("an opening repeats nothing that its posting makes up", () => {
  const openings = corpus.samples.flatMap(({ answer }) => {
    const [opening = "", ...lines] = answer.split("\n");
    const made = lines.filter((line) => /^(회사|하는 일|급여|마감): /.test(line));
    return made.length === 0
      ? []
      : [{ opening, made: made.map((line) => line.replace(/^.+?: | \(가상\)$/g, "")) }];
  });
  assert.ok(openings.length > 1000);
  for (const { opening, made } of openings) {
    assert.equal(made.length, 4);
    for (const value of made) assert.ok(!opening.includes(value), `${opening} / ${value}`);
  }
});

test("companies and months are spread evenly, so that sampling varies them", () => {
  const { samples } = generateCorpus(7, 12_000);
  const all = samples.map(({ answer }) => answer).join("\n");
  for (const [pattern, kinds] of [
    [/^회사: (\S+) /gm, 40],
    [/^마감: (\d+)월/gm, 12],
  ] as const) {
    const counts = new Map<string, number>();
    let total = 0;
    for (const match of all.matchAll(pattern)) {
      counts.set(match[1] as string, (counts.get(match[1] as string) ?? 0) + 1);
      total++;
    }
    assert.equal(counts.size, kinds);
    for (const [name, count] of counts) {
      assert.ok(Math.abs(count - total / kinds) < (0.35 * total) / kinds, `${name}: ${count} of ${total}`);
    }
  }
});

test("who the model is and what it can do is answered with its introduction", () => {
  const replies = new Map(corpus.samples.map(({ question, answer }) => [question, answer]));
  const introduced = [...replies].filter(([, answer]) => answer.startsWith("저는 JAI, jai-server의 데모용"));
  assert.ok(introduced.length > 50);
  assert.ok(introduced.some(([question]) => /이름/.test(question)));
  assert.ok(introduced.some(([question]) => /할 수 있/.test(question)));
  for (const [question] of introduced) assert.ok(!/채용|공고|구인/.test(question), question);
});

test("a question that names a role alone is answered with places", () => {
  const asked = corpus.samples.filter(({ question }) => /^\S+ 채용 어디서 해/.test(question));
  assert.ok(asked.length > 0);
  for (const { question, answer } of asked) assert.match(answer, /^- \S+: .+ \(가상\)|^죄송/m, question);
});

test("every company is marked as fictional, and no sample holds an address", () => {
  for (const line of text.match(/^회사: .+$/gm) ?? []) assert.match(line, / \(가상\)$/);
  assert.doesNotMatch(text, /https?:|www\.|@/);
});

test("a template's choices are all taken and its slots filled with the right particle", () => {
  const random = new Random(1);
  const seen = new Set(
    Array.from({ length: 50 }, () =>
      phrase("{P}에서 {R을} (찾아|뽑아)(|?)", { P: "부산", R: "간호사" }, random),
    ),
  );
  assert.deepEqual([...seen].sort(), [
    "부산에서 간호사를 뽑아",
    "부산에서 간호사를 뽑아?",
    "부산에서 간호사를 찾아",
    "부산에서 간호사를 찾아?",
  ]);
  assert.throws(() => phrase("{S} 쓰는 {R}", { R: "간호사" }, random), /expected a word for \{S\}/);
});

test("no template leaves a slot or a choice unresolved", () => {
  assert.doesNotMatch(text, /[{}|]/);
});
