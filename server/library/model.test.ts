// Compares the library with the HTTP server: the same fields and seed give the same text.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { type GenerateOptions, JaiError, type Model, openModel, openServer, type Server } from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "jai-library-"));
const dir = join(folder, "model");
let model: Model;
before(async () => {
  await writeFixtureModel(dir, "int8");
  model = await openModel(dir, { concurrency: 4, threads: 1 });
});
after(async () => {
  await model.close();
  rmSync(folder, { recursive: true });
});

const endless: GenerateOptions = { prompt: "질문", maxTokens: 4000, ignoreEos: true };

async function refusal(work: Promise<unknown>): Promise<Pick<JaiError, "code" | "message">> {
  const error = await work.then(
    () => assert.fail("expected a refusal"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof JaiError, String(error));
  assert.doesNotMatch(error.message, /\n/);
  return { code: error.code, message: error.message };
}

describe("a model", () => {
  it("has the facts of its folder", () => {
    const { name, precision, context, vocabulary, concurrency } = model;
    assert.deepEqual(
      { name, precision, context, vocabulary, concurrency },
      { name: "fixture", precision: "int8", context: 160, vocabulary: 261, concurrency: 4 },
    );
  });

  it("gives concurrent calls the texts that the server gives each alone, whole and streamed", async (t) => {
    const server: Server = await openServer({
      model: dir,
      port: 0,
      dataDir: join(folder, "data"),
      threads: 1,
    });
    t.after(() => server.close());
    const url = await server.listen();
    await server.ready;
    const bodies = Array.from({ length: 12 }, (_, index) => ({
      prompt: `질문 ${index}`,
      max_tokens: 5 + 3 * index,
      temperature: index % 3 === 0 ? 0 : 0.9,
      top_k: 40,
      seed: index,
      min_tokens: 2,
      ignore_eos: index % 2 === 0,
      ...(index % 4 === 0 && { stop: ["a", "b"], n: 2 }),
    }));
    const pathOf = (index: number) => (index % 3 === 1 ? "/chat" : "/generate");
    const optionsOf = (index: number): GenerateOptions => {
      const { max_tokens, top_k, min_tokens, ignore_eos, ...same } = bodies[index]!;
      const renamed = { maxTokens: max_tokens, topK: top_k, minTokens: min_tokens, ignoreEos: ignore_eos };
      return { ...same, ...renamed, chat: pathOf(index) === "/chat" };
    };
    const whole = await Promise.all(bodies.map((_, index) => model.generate(optionsOf(index))));
    const streams = bodies.map(async (_, index) => {
      const texts: Record<number, string> = {};
      let tokens = 0;
      const stream = model.stream(optionsOf(index));
      for await (const piece of stream) {
        texts[piece.index] = (texts[piece.index] ?? "") + piece.text;
        tokens += piece.tokens;
      }
      return { texts: Object.values(texts), tokens, result: await stream.result };
    });
    const streamed = await Promise.all(streams);
    for (const [index, body] of bodies.entries()) {
      const headers = { "content-type": "application/json" };
      const response = await fetch(url + pathOf(index), {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      // biome-ignore lint/suspicious/noExplicitAny: openapi.yaml says what it is
      const answer = (await response.json()) as any;
      const { prompt, generated, fullText, finishReason, usage, seed, choices } = whole[index]!;
      assert.deepEqual(
        [prompt, generated, fullText, finishReason, usage.completionTokens, seed],
        [
          ...[answer.prompt, answer.generated, answer.full_text, answer.finish_reason],
          ...[answer.usage.completion_tokens, answer.seed],
        ],
      );
      assert.deepEqual(
        choices?.map((one) => [one.index, one.generated, one.fullText, one.finishReason]),
        answer.choices?.map((one: typeof answer) => [
          ...[one.index, one.generated, one.full_text, one.finish_reason],
        ]),
      );
      const texts = choices?.map((one) => one.generated) ?? [generated];
      assert.deepEqual(
        streamed[index]!.texts,
        texts.filter((text, i) => text !== "" || i in streamed[index]!.texts),
      );
      assert.equal(streamed[index]!.tokens, usage.completionTokens);
      assert.equal(streamed[index]!.result.generated, generated);
    }
  });

  it("cancels a generation by its signal, rejects with the signal's reason, and frees the slot", async () => {
    const reason = new Error("no longer wanted");
    await assert.rejects(model.generate({ ...endless, signal: AbortSignal.abort(reason) }), reason);
    for (const call of ["generate", "stream"] as const) {
      const leaving = new AbortController();
      const options = { ...endless, signal: leaving.signal };
      const others = Array.from({ length: 3 }, () => model.generate({ ...endless, maxTokens: 200 }));
      const given = call === "generate" ? model.generate(options) : model.stream(options).result;
      leaving.abort(reason);
      await assert.rejects(given, reason);
      await Promise.all(others);
    }
  });

  it("cancels a stream when its reader leaves, and refuses a second reader", async () => {
    const stream = model.stream(endless);
    for await (const { tokens } of stream) {
      assert.ok(tokens > 0);
      break;
    }
    await assert.rejects(stream.result, { name: "AbortError" });
    await assert.rejects(async () => {
      for await (const _ of stream);
    }, /expected one reader/);
  });

  it("throws a stream's error in its loop", async () => {
    const read = async () => {
      for await (const _ of model.stream({ ...endless, timeout: { total: 0.05 } }));
    };
    assert.equal((await refusal(read())).code, "deadline_exceeded");
  });

  it("refuses a wrong option in one line that names it", async () => {
    const cases: [object, RegExp][] = [
      [{}, /^prompt: expected a value, got nothing$/],
      [{ prompt: "" }, /^prompt: expected at least 1 characters, got 0$/],
      [{ prompt: 3 }, /^prompt: expected a text, got 3$/],
      [{ prompt: "x", maxTokens: 0.5 }, /^maxTokens: expected an integer, got 0.5$/],
      [{ prompt: "x", temperature: -1 }, /^temperature: expected at least 0, got -1$/],
      [{ prompt: "x", temperature: Number.NaN }, /^temperature: expected .*, got NaN$/],
      [{ prompt: "x", n: 17 }, /^n: expected at most 16, got 17$/],
      [{ prompt: "x", max_tokens: 3 }, /^unknown option "max_tokens": expected one of .*maxTokens/],
      [{ prompt: "x", stream: true }, /^unknown option "stream"/],
      [{ prompt: "x", stop: ["a", 1] }, /^stop.1: expected a text, got 1$/],
      [{ prompt: "x", chat: "yes" }, /^chat: expected true or false, got "yes"$/],
      [{ prompt: "x", signal: {} }, /^signal: expected an AbortSignal, got an object$/],
      [{ prompt: "x", timeout: 3 }, /^timeout: expected an object, got 3$/],
      [
        { prompt: "x", timeout: { first: 3 } },
        /^unknown option "timeout.first": expected one of queue, firstToken/,
      ],
      [{ prompt: "x", timeout: { firstToken: 0 } }, /^timeout.firstToken: expected more than 0, got 0$/],
      [{ prompt: "x", responseFormat: { type: "xml" } }, /^responseFormat.type: expected one of text, /],
      [{ prompt: "x", logitBias: { 261: 1 } }, /^logitBias.261: expected a token id below 261, got "261"$/],
      [
        { prompt: "x", regex: "a", grammar: "b" },
        /^grammar: expected one of response_format, regex and grammar/,
      ],
      [{ prompt: "x", regex: "(" }, /form.*expected a regular expression, got "\("/],
    ];
    for (const [options, expected] of cases) {
      const { code, message } = await refusal(model.generate(options as GenerateOptions));
      assert.equal(code, "invalid_options");
      assert.match(message, expected);
    }
    assert.match(
      (await refusal(model.generate(null as never))).message,
      /^options: expected an object, got null$/,
    );
  });

  it("finishes running generations when it is closed, and refuses new ones", async () => {
    const closing = await openModel(dir, { concurrency: 1, threads: 1 });
    const running = [closing.generate({ prompt: "a" }), closing.generate({ prompt: "b" })];
    const closed = closing.close();
    assert.deepEqual(await refusal(closing.generate({ prompt: "c" })), {
      code: "closed",
      message: "the model is closed",
    });
    assert.equal((await Promise.all(running)).length, 2);
    await closed;
  });

  it("cancels generations that don't finish in time when it is closed", async () => {
    const closing = await openModel(dir, { concurrency: 1, threads: 1 });
    const given = [closing.generate(endless), closing.generate(endless)].map(refusal);
    await closing.close({ drainSeconds: 0 });
    for (const { code } of await Promise.all(given)) assert.equal(code, "closed");
  });

  it("generates without a chat template, and refuses a question with what to do", async (t) => {
    const plain = join(folder, "plain");
    cpSync(dir, plain, { recursive: true });
    const file = join(plain, "tokenizer_config.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), chat_template: null }));
    const model = await openModel(plain, { concurrency: 1, threads: 1 });
    t.after(() => model.close());
    assert.deepEqual(await refusal(model.generate({ prompt: "x", chat: true })), {
      code: "invalid_options",
      message:
        "This model has no chat template: use /generate or /v1/completions, or import it again with --chat-template",
    });
    assert.equal((await model.generate({ prompt: "x", maxTokens: 1 })).usage.completionTokens, 1);
  });

  it("ends at each of several end tokens, but not before minTokens, nor with ignoreEos", async (t) => {
    const several = join(folder, "several");
    cpSync(dir, several, { recursive: true });
    writeFileSync(join(several, "generation_config.json"), JSON.stringify({ eos_token_id: [257, 258] }));
    const model = await openModel(several, { concurrency: 1, threads: 1 });
    t.after(() => model.close());
    const ended = async (id: number, options: Partial<GenerateOptions> = {}) => {
      const logitBias = { [id]: 100 };
      const { finishReason, usage, generated } = await model.generate({
        ...{ prompt: "x", maxTokens: 9, logitBias, temperature: 0 },
        ...options,
      });
      return { finishReason, tokens: usage.completionTokens, generated };
    };
    for (const id of [257, 258]) {
      assert.deepEqual(await ended(id), { finishReason: "stop", tokens: 1, generated: "" });
      assert.equal((await ended(id, { minTokens: 4 })).tokens, 5);
      assert.deepEqual([(await ended(id, { ignoreEos: true })).tokens], [9]);
      const regex = { regex: "[ab]{3}c*" };
      assert.equal((await ended(id, regex)).tokens, 4);
    }
    // A special token that ends nothing is text.
    assert.equal((await ended(259, { maxTokens: 2 })).generated, "[ANSWER][ANSWER]");
  });

  it("reports a wrong folder or setting in one line", async () => {
    await assert.rejects(
      openModel(join(folder, "nowhere")),
      /^ModelError: model folder .*nowhere: expected a folder/,
    );
    const cases: [object, RegExp][] = [
      [{ workers: 0 }, /^workers: expected auto or an integer from 1 to 64, got "0"$/],
      [{ device: "tpu" }, /^device: expected one of auto, cpu, cuda, webgpu, got "tpu"$/],
      [{ contextStride: 161 }, /^contextStride: expected auto or an integer from 1 to 160, .*, got "161"$/],
      [{ port: 1 }, /^unknown option "port": expected one of device, /],
    ];
    for (const [options, message] of cases) await assert.rejects(openModel(dir, options), { message });
  });
});
