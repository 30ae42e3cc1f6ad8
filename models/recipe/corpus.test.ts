import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { compileChatTemplate } from "../chat-template.js";
import { check, FIELD_OF, readAnswer } from "./check.js";
import { CHAT_TEMPLATE, type Conversation, DEFAULT_SEED, format, inventCorpus, PairSplit } from "./corpus.js";
import { MODELS } from "./languages.js";
import { heldOutOf } from "./make.js";
import { unmarked } from "./marks.js";
import { Random } from "./random.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));

function corpusOf(
  model: string,
  count: number,
  seed = 7,
): { conversations: Conversation[]; pairs: PairSplit } {
  const { language, shown } = MODELS[model]!;
  const pairs = new PairSplit(new Random(DEFAULT_SEED), language, shown);
  return { conversations: [...inventCorpus(language, seed, count, pairs)], pairs };
}

test("a conversation is laid out as the model is prompted", () => {
  const expect = { shape: "words" } as const;
  const turns = [
    { question: "서울?", answer: "네,\n서울.", expect },
    { question: "또?", answer: "아니요.", expect },
  ];
  const text = format({ system: "짧게.", turns });
  const { render, terminator } = compileChatTemplate(CHAT_TEMPLATE);
  const questionAndAnswer = turns.flatMap(({ question, answer }) => [
    { role: "user" as const, content: question },
    { role: "assistant" as const, content: answer },
  ]);
  assert.equal(text, render([{ role: "system", content: "짧게." }, ...questionAndAnswer]));
  assert.equal(terminator, "<|end|>");
  assert.throws(
    () => render([...questionAndAnswer, { role: "system", content: "짧게." }]),
    /expected a system message at the start alone/,
  );
  assert.equal(
    text,
    "<|system|>짧게.<|end|><|user|>서울?<|end|><|assistant|>네,\n서울.<|end|><|user|>또?<|end|><|assistant|>아니요.<|end|>",
  );
});

for (const [model, { language, shown }] of Object.entries(MODELS)) {
  const { conversations, pairs } = corpusOf(model, 4000);
  const turns = conversations.flatMap(({ turns: of }) => of);
  const text = conversations.map(format).join("\n");
  const heldOut = heldOutOf(language, DEFAULT_SEED, pairs);

  test(`${model}: a seed gives one corpus`, () => {
    assert.deepEqual(corpusOf(model, 200).conversations, conversations.slice(0, 200));
    assert.notDeepEqual(corpusOf(model, 200, 8).conversations, conversations.slice(0, 200));
  });

  test(`${model}: no answer contradicts its question, its system message or an earlier answer`, () => {
    for (const { system, turns: of } of conversations) {
      const earlier: string[] = [];
      for (const { question, answer, expect } of of) {
        const said = unmarked(answer);
        assert.deepEqual(
          check(said, expect, earlier, language),
          [],
          [system, ...earlier, question, said].join("\n"),
        );
        earlier.push(said);
      }
    }
  });

  test(`${model}: every kind of demand is asked for, and shown fulfilled`, () => {
    const fulfilled = new Set<string>();
    for (const { answer, expect } of turns) {
      const { posting } = readAnswer(unmarked(answer), language);
      for (const demand of expect.demands ?? []) {
        const value = posting?.[FIELD_OF[demand.kind]];
        if (value !== undefined && language.fulfils(value, demand)) fulfilled.add(demand.kind);
      }
    }
    assert.deepEqual([...fulfilled].sort(), Object.keys(FIELD_OF).sort());
  });

  test(`${model}: the held-out questions in the repository are those of the default seed`, () => {
    const file = join(root, "models", "recipe", language.folder, "heldout.json");
    assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), JSON.parse(JSON.stringify(heldOut)));
    assert.ok(heldOut.filter(({ wordings }) => wordings === "unseen").length >= 300);
  });

  test(`${model}: training has none of the held-out questions and pairs`, () => {
    const asked = new Set(
      conversations.map(({ turns: of }) => of.map(({ question }) => question).join("\n")),
    );
    for (const { questions } of heldOut.filter(({ wordings }) => wordings === "unseen"))
      assert.ok(!asked.has(questions.join("\n")), questions.join("\n"));
    const known = new Map(language.roles.map((role) => [role.name, role]));
    const answered = turns.filter(({ expect }) => expect.place !== undefined && expect.role !== undefined);
    assert.ok(answered.length > 500);
    for (const { expect } of answered)
      assert.equal(
        pairs.of(expect.place!, known.get(expect.role!)!),
        "train",
        `${expect.place} ${expect.role}`,
      );
    for (const { expect } of heldOut.filter(({ kind }) => kind === "place and role"))
      assert.equal(pairs.of(expect.place!, known.get(expect.role!)!), "heldOut");
    for (const pair of shown) {
      const place = language.places.find((one) => pair.startsWith(`${one} `))!;
      assert.equal(pairs.of(place, known.get(pair.slice(place.length + 1))!), "train", pair);
    }
  });

  test(`${model}: held-out wordings are not those of training`, () => {
    const trained = new Set<string>();
    const others: string[] = [];
    const collect = (value: unknown): void => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return;
      if ("train" in value && "heldOut" in value) {
        const { train, more = [] } = value as unknown as { train: string[]; more?: string[] };
        for (const template of [...train, ...more]) trained.add(template);
        others.push(...(value.heldOut as string[]), ...("dev" in value ? (value.dev as string[]) : []));
      } else Object.values(value).forEach(collect);
    };
    collect(language);
    assert.ok(others.length > 100);
    for (const template of others) assert.ok(!trained.has(template), template);
  });

  test(`${model}: every company is marked as fictional, and no sample holds an address`, () => {
    const start = `${language.labels.company}: `;
    const lines = text.split("\n").filter((line) => line.startsWith(start));
    assert.ok(lines.length > 500);
    for (const line of lines) assert.ok(line.split("<|end|>", 1)[0]?.endsWith(language.mark), line);
    assert.doesNotMatch(text, /https?:|www\.|@/);
  });

  test(`${model}: no template leaves a slot, a choice or a mark unresolved`, () => {
    assert.doesNotMatch(
      text.replaceAll(/<\|(?:system|user|assistant|end)\|>/g, "").replaceAll(/\{".*\}/g, ""),
      /[{}|]/,
    );
    assert.doesNotMatch(text, /[\uE000-\uE002]/);
  });

  test(`${model}: companies hardly come twice, so that a later answer can only copy them`, () => {
    const companies = new Map<string, number>();
    let total = 0;
    for (const { answer } of turns) {
      const { company } = readAnswer(unmarked(answer), language).posting ?? {};
      if (company === undefined) continue;
      const name = company.split(" ").slice(0, -2).join(" ");
      companies.set(name, (companies.get(name) ?? 0) + 1);
      total++;
    }
    assert.ok(total > 1000);
    // Later answers repeat one of the same conversation; four turns can do so four times.
    assert.ok(companies.size > 0.55 * total, `${companies.size} of ${total}`);
    for (const [name, count] of companies) assert.ok(count <= 8, `${name}: ${count}`);
  });
}
