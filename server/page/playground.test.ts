// The playground in a browser, against a real server with the default model.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import type { Page, Request } from "playwright-core";
import { jaiChatTemplate } from "../../models/chat-template.js";
import { FIXTURE_SIZES, randomWeights, writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";
import { packageRoot } from "../settings/config.js";
import { noBrowser, OpenPage } from "./fixtures/browser.js";

const run = promisify(execFile);
const bounded = { timeout: 30_000 };
const QUESTION = "판교에서 백엔드 개발자 채용하는 곳 알려줘";

/** Waits for the end of every answer on the page. */
const ended = (page: Page, answers = 1) =>
  page
    .getByRole("button", { name: /^seed/ })
    .nth(answers - 1)
    .waitFor();
const answerText = (page: Page, index = 0) => page.locator(".turn-assistant .text").nth(index).innerText();
const bodyOf = (request: Request) => request.postDataJSON() as Record<string, unknown>;
const generating = (request: Request) => /\/v1\/(chat\/)?completions$/.test(request.url());

async function send(page: Page, text: string): Promise<Record<string, unknown>> {
  await page.locator(".composer textarea").fill(text);
  const sent = page.waitForRequest(generating);
  await page.getByRole("button", { name: "Send" }).click();
  return bodyOf(await sent);
}

const openFold = (page: Page, title: string) =>
  page.locator("summary", { hasText: new RegExp(`^${title}$`) }).click();

/** Runs steps on a page of their own, which must ask no other host and run into no error. */
const onPageOf =
  (url: () => string, steps: (page: Page, signal: AbortSignal) => Promise<void>, fragment = "") =>
  async ({ signal }: TestContext) => {
    const opened = await OpenPage.open(url(), {}, fragment);
    await steps(opened.page, signal);
    await opened.close();
  };

describe("the playground", { skip: noBrowser, timeout: 240_000 }, () => {
  let server: ServerProcess;
  let url = "";
  before(async () => {
    server = await ServerProcess.ready(`${packageRoot}/models/jai-small`);
    url = `http://127.0.0.1:${server.port}`;
  });
  after(() => server.stop());

  const on = (steps: (page: Page) => Promise<void>, fragment = "") => onPageOf(() => url, steps, fragment);

  it(
    "streams an answer, tells what it took, and remembers the conversation",
    on(async (page) => {
      // Without this, what the model draws could end after one token.
      await openFold(page, "Where the output ends");
      await page.getByLabel("Ignore the end").check();
      await page.getByLabel("Max tokens").fill("20");
      await page.getByRole("textbox", { name: "Message" }).fill(QUESTION);
      await page.keyboard.press("Control+Enter");
      await ended(page);
      const facts = await page.locator(".facts").innerText();
      assert.match(facts, /cut at max_tokens/);
      assert.match(facts, /\d+ prompt tokens.*\d+ output tokens.*first token after \d+ ms.*\d+ tokens\/s/s);
      assert.match(await page.getByRole("status").innerText(), /^Finished, \d+ tokens$/);
      const first = await answerText(page);
      await page.getByLabel("Max tokens").fill("5");
      const body = await send(page, "마감은?");
      assert.deepEqual(body.messages, [
        { role: "user", content: QUESTION },
        { role: "assistant", content: first },
        { role: "user", content: "마감은?" },
      ]);
      await ended(page, 2);
      assert.match(await page.locator(".facts").nth(1).innerText(), /cut at max_tokens/);
    }),
  );

  it(
    "says of an answer that fills the context that this cut it",
    on(async (page) => {
      await openFold(page, "Where the output ends");
      await page.getByLabel("Ignore the end").check();
      await page.getByLabel("Min tokens").fill("496");
      await send(page, QUESTION);
      await ended(page);
      const facts = await page.locator(".facts").innerText();
      assert.match(facts, /cut: the context is full/);
      assert.doesNotMatch(facts, /max_tokens/);
    }),
  );

  it(
    "gives the same again with the same seed, and another answer with a new one",
    on(async (page) => {
      await send(page, QUESTION);
      await ended(page);
      const first = await answerText(page);
      const repeat = async (name: string) => {
        const sent = page.waitForRequest(generating);
        await page.locator(".turn-assistant").getByRole("button", { name }).click();
        const { seed } = bodyOf(await sent);
        await ended(page);
        return { seed, text: await answerText(page) };
      };
      assert.equal((await repeat("The same again")).text, first);
      assert.notEqual((await repeat("Regenerate")).text, first);
      await page.getByRole("button", { name: /^seed/ }).click();
      const seed = Number(await page.getByLabel("Seed", { exact: true }).inputValue());
      assert.equal((await repeat("Regenerate")).seed, seed);
      await page.getByRole("button", { name: "Draw a seed" }).click();
      assert.notEqual(Number(await page.getByLabel("Seed", { exact: true }).inputValue()), seed);
    }),
  );

  it(
    "edits, removes and answers messages anew",
    on(async (page) => {
      await page.getByLabel("Max tokens").fill("4");
      await send(page, QUESTION);
      await ended(page);
      await page.locator(".turn-user").getByRole("button", { name: "Edit" }).click();
      await page.getByRole("textbox", { name: "Edit" }).fill("부산은?");
      await page.getByRole("button", { name: "Save" }).click();
      const sent = page.waitForRequest(generating);
      await page.locator(".turn-user").getByRole("button", { name: "Regenerate" }).click();
      assert.deepEqual(bodyOf(await sent).messages, [{ role: "user", content: "부산은?" }]);
      await ended(page);
      await page.locator(".turn-assistant").getByRole("button", { name: "Edit" }).click();
      await page.getByRole("textbox", { name: "Edit" }).fill("네.");
      await page.keyboard.press("Control+Enter");
      assert.equal(await answerText(page), "네.");
      await page.locator(".turn-assistant").getByRole("button", { name: "Remove" }).click();
      assert.equal(await page.locator(".turn").count(), 1);
      await page.getByRole("button", { name: "Clear" }).click();
      assert.equal(await page.locator(".turn").count(), 0);
    }),
  );

  it(
    "shows samples side by side, and goes on with the chosen one",
    on(async (page) => {
      await page.getByLabel("Max tokens").fill("30");
      await page.getByLabel("Samples").fill("3");
      await send(page, QUESTION);
      await ended(page);
      assert.equal(await page.locator(".sample").count(), 3);
      await page.getByRole("button", { name: "Continue with this one" }).nth(2).click();
      const third = await answerText(page, 2);
      const body = await send(page, "더?");
      assert.deepEqual((body.messages as unknown[])[1], { role: "assistant", content: third });
      await ended(page, 2);
    }),
  );

  it(
    "shows tokens with ids, probabilities and alternatives, also by keyboard",
    on(async (page) => {
      await openFold(page, "Tokens");
      await page.getByLabel("Show tokens").check();
      await page.getByLabel("Alternatives").fill("3");
      await page.getByLabel("Max tokens").fill("20");
      await send(page, QUESTION);
      await ended(page);
      const tokens = page.locator(".token");
      assert.equal(await tokens.count(), 20);
      const detail = page.locator(".token-detail");
      await detail.getByText(/^id \d+$/).waitFor();
      await tokens.nth(3).hover();
      assert.equal(await tokens.nth(3).getAttribute("aria-selected"), "true");
      assert.ok((await detail.locator("li").count()) >= 3);
      assert.match(await detail.locator(".own").innerText(), /%/);
      await tokens.nth(3).focus();
      await page.keyboard.press("ArrowRight");
      assert.equal(await tokens.nth(4).evaluate((token) => token.matches(":focus")), true);
      assert.match(await detail.innerText(), /log-probability -?\d/);
    }),
  );

  it(
    "continues a prompt, echoes it, and shows the best of several",
    on(async (page) => {
      await page.getByRole("radio", { name: "Completion" }).check();
      await openFold(page, "Where the output ends");
      await page.getByLabel("Echo").check();
      await page.getByLabel("Best of").fill("2");
      await page.getByLabel("Max tokens").fill("5");
      const body = await send(page, "서울에서 React");
      assert.deepEqual([body.echo, body.best_of, body.stream], [true, 2, undefined]);
      await ended(page);
      assert.match(await answerText(page), /^서울에서 React/);
      await page.getByRole("button", { name: "The same again" }).click();
      await ended(page);
    }),
  );

  it(
    "sends every control's value",
    on(async (page) => {
      for (const fold of ["Which tokens may come", "Where the output ends", "Priority and timeouts"])
        await openFold(page, fold);
      const values: Record<string, string> = {
        "Top k": "7",
        "Min p": "0.1",
        "Typical p": "0.9",
        "Repetition penalty": "1.1",
        "Presence penalty": "0.5",
        "Frequency penalty": "-0.5",
        "Logit bias": "5: -1",
        "Stop strings": "\\n\\n",
        "Min tokens": "1",
        Priority: "-2",
        "Timeout: start": "50",
        "Timeout: first token": "51",
        "Timeout: stall": "52",
        "Timeout: total": "53",
        "Max tokens": "6",
        Samples: "2",
      };
      for (const [label, value] of Object.entries(values))
        await page.getByRole("textbox", { name: label, exact: true }).fill(value);
      await page.getByRole("slider", { name: "Temperature" }).fill("0.5");
      await page.getByRole("slider", { name: "Top p" }).fill("0.95");
      await page.getByLabel("Seed", { exact: true }).fill("9");
      await page.getByLabel("Ignore the end").check();
      const { messages: _, ...body } = await send(page, QUESTION);
      assert.deepEqual(body, {
        model: "jai-small",
        temperature: 0.5,
        top_p: 0.95,
        max_tokens: 6,
        n: 2,
        seed: 9,
        top_k: 7,
        min_p: 0.1,
        typical_p: 0.9,
        repetition_penalty: 1.1,
        presence_penalty: 0.5,
        frequency_penalty: -0.5,
        min_tokens: 1,
        priority: -2,
        timeout: { queue: 50, first_token: 51, stall: 52, total: 53 },
        stop: ["\n\n"],
        logit_bias: { 5: -1 },
        ignore_eos: true,
        stream: true,
        stream_options: { include_usage: true },
      });
      await ended(page);
    }),
  );

  it(
    "holds the output to a form, and says in place what is wrong with one",
    on(async (page) => {
      const form = page.getByLabel("The output is");
      await form.selectOption({ label: "a text that matches a regex" });
      const field = page.locator("#field-form");
      await field.fill("(");
      await send(page, QUESTION);
      await page
        .locator("#field-form-hint")
        .getByText(/expected a regular expression/)
        .waitFor();
      assert.equal(await field.getAttribute("aria-invalid"), "true");
      await field.fill("(네|아니요)");
      await page.getByRole("button", { name: "Send" }).click();
      await ended(page);
      assert.match(await answerText(page), /^(네|아니요)$/);
      await form.selectOption({ label: "JSON by a schema" });
      await field.fill('{"type": }');
      await page
        .getByRole("alert")
        .getByText(/^This is not JSON/)
        .waitFor();
      let isSent = false;
      page.on("request", (request) => (isSent ||= generating(request)));
      await page.getByRole("textbox", { name: "Message" }).fill("x");
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByText("Correct the marked fields first.").waitFor();
      assert.equal(isSent, false);
      await field.fill('{"enum": ["a", "b"]}');
      await page.getByRole("button", { name: "Send" }).click();
      await ended(page, 2);
      assert.match(await answerText(page, 1), /^\s*"[ab]"\s*$/);
    }),
  );

  it("shows in place what the server refuses", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "jai-playground-"));
    t.after(() => rmSync(folder, { recursive: true }));
    cpSync(`${packageRoot}/models/jai-small`, folder, { recursive: true });
    const file = join(folder, "tokenizer_config.json");
    const config = JSON.parse(readFileSync(file, "utf8"));
    // This one takes no system messages.
    writeFileSync(file, JSON.stringify({ ...config, chat_template: jaiChatTemplate }));
    const refusing = await ServerProcess.ready(folder);
    t.after(() => refusing.stop());
    const opened = await OpenPage.open(`http://127.0.0.1:${refusing.port}`, {});
    const { page } = opened;
    await page.getByText("System message").click();
    await page.getByRole("textbox", { name: "System message" }).fill("x");
    await send(page, QUESTION);
    await page
      .getByRole("alert")
      .getByText(/chat template refuses these messages/)
      .waitFor();
    await page.getByRole("textbox", { name: "System message" }).fill("");
    await page.getByLabel("Max tokens").fill("3");
    await page.locator(".turn-user").getByRole("button", { name: "Regenerate" }).click();
    await ended(page);
    await page.getByLabel("Temperature").last().fill("hot");
    await page.getByText("Expected a number from 0 to 2").waitFor();
    await opened.close();
  });

  it(
    "shows programs that give the same answer",
    on(async (page) => {
      await page.getByLabel("Max tokens").fill("12");
      await page.getByLabel("Seed", { exact: true }).fill("3");
      await send(page, `${QUESTION} 'x'`);
      await ended(page);
      const answer = await answerText(page);
      await page.getByRole("button", { name: "Code" }).click();
      const dialog = page.getByRole("dialog");
      const programIn = async (language: string) => {
        await dialog.getByRole("radio", { name: language }).check();
        return dialog.locator("pre").innerText();
      };
      const { stdout } = await run("sh", ["-c", await programIn("curl")], bounded).catch(() => ({
        stdout: null,
      }));
      // A machine may have no curl.
      if (stdout !== null) {
        const pieces = [...stdout.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)].map(([, text]) =>
          JSON.parse(text!),
        );
        assert.equal(pieces.join(""), answer);
      }
      const program = await programIn("JavaScript");
      assert.equal(
        (await run(process.execPath, ["--input-type=module", "-e", program], bounded)).stdout,
        answer,
      );
      assert.match(await programIn("Python"), /client\.chat\.completions\.create\(/);
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await dialog.getByRole("button", { name: "Copy: Python" }).click();
      await dialog.getByRole("button", { name: "Copy: Python" }).getByText("✓").waitFor();
      await page.keyboard.press("Escape");
      assert.equal(await dialog.count(), 0);
    }),
  );

  it(
    "shares what is on it by the address, which sends nothing",
    on(async (page) => {
      await page.getByLabel("Max tokens").fill("4");
      await send(page, QUESTION);
      await ended(page);
      const answer = await answerText(page);
      await page.getByRole("button", { name: "Share" }).click();
      await page
        .getByRole("status")
        .getByText(/^The link is in the address bar/)
        .waitFor();
      const address = page.url();
      let isSent = false;
      page.on("request", (request) => (isSent ||= generating(request)));
      await page.goto("about:blank");
      await page.goto(address);
      await page.locator(".turn-assistant").waitFor();
      assert.equal(await answerText(page), answer);
      assert.equal(await page.getByLabel("Max tokens").inputValue(), "4");
      assert.equal(isSent, false);
    }),
  );

  it(
    "says so of a playground that is too large for a link, and leaves the address alone",
    on(async (page) => {
      await page.locator(".composer textarea").fill("가나다라".repeat(100_000));
      await page.getByRole("button", { name: "Share" }).click();
      await page
        .getByRole("alert")
        .getByText(/^This is too long for a link/)
        .waitFor();
      assert.equal(new URL(page.url()).hash, "");
      await page.locator(".composer textarea").fill("가나다라");
      await page.getByRole("button", { name: "Share" }).click();
      await page.waitForURL(/#s=/);
      assert.equal(await page.getByRole("alert").count(), 0);
    }),
  );

  it(
    "says so of an address that it can't read",
    on(async (page) => {
      await page.getByText("The link holds nothing that this page can read.").waitFor();
    }, "#z=AAAA"),
  );
});

describe("the playground of a model that writes on and on", { skip: noBrowser, timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "jai-long-"));
  let server: ServerProcess;
  before(async () => {
    // However slow the browser is, an output of this context is under way when it stops it.
    const sizes = { ...FIXTURE_SIZES, context: 65_536 };
    await writeFixtureModel(folder, "int8", randomWeights(sizes));
    server = await ServerProcess.ready(folder, { JAI_MAX_TOKENS: "65536" });
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  it(
    "frees the slots when an answer is stopped, by the button and by Escape",
    onPageOf(
      () => `http://127.0.0.1:${server.port}`,
      async (page, signal) => {
        const sequences = async (count: number) => {
          while (!signal.aborted) {
            const { queue } = JSON.parse((await server.request("GET", "/health")).text);
            if (queue.running + queue.waiting === count) return;
          }
        };
        await openFold(page, "Where the output ends");
        await page.getByLabel("Ignore the end").check();
        await page.getByLabel("Samples").fill("16");
        for (const stop of [
          () => page.getByRole("button", { name: "Stop", exact: true }).click(),
          () => page.keyboard.press("Escape"),
        ]) {
          await send(page, QUESTION);
          await sequences(16);
          await stop();
          await sequences(0);
          await page.getByText("Stopped").last().waitFor();
          await page.getByRole("button", { name: "Clear" }).click();
        }
      },
    ),
  );
});
