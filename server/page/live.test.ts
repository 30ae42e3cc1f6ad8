// The live view in a browser: against a real server under load, and against the app with a stand-in for the pool.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, it, test } from "node:test";
import type { Page } from "playwright-core";
import { ServerProcess } from "../../ops/server-process.js";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { packageRoot } from "../settings/config.js";
import { hashKey, unlimited } from "../settings/key.js";
import { Holdings } from "../shares.js";
import { looks, nameOf, violations } from "./fixtures/axe.js";
import { noBrowser, OpenPage, PHONE } from "./fixtures/browser.js";

const options = { skip: noBrowser };
const model = `${packageRoot}/models/jai-small`;

/** The text of a number of the view. */
const number = (page: Page, name: string) => page.locator(`[data-number="${name}"] .value`);
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

/** Places of watchers, which tell when one is free again. */
class ToldHoldings extends Holdings {
  readonly told = new EventEmitter();

  override give(caller: string, amount = 1): void {
    super.give(caller, amount);
    this.told.emit("given");
  }

  override take(caller: string, amount = 1): void {
    super.take(caller, amount);
    this.told.emit("taken");
  }
}

describe("the live view of a server under load", { skip: noBrowser }, () => {
  let server: ServerProcess;
  const left = new AbortController();
  const streams: Promise<unknown>[] = [];
  before(async () => {
    server = await ServerProcess.ready(model, {
      JAI_CONCURRENCY: "4",
      JAI_WORKERS: "2",
      JAI_QUEUE_LIMIT: "20",
      JAI_MAX_TOKENS: "1000000",
    });
    // They go on until the test ends, so what runs and what waits does not change.
    for (let n = 0; n < 7; n++) {
      const body = { prompt: "서울에서 개발자를", max_tokens: 1_000_000, ignore_eos: true };
      streams.push(server.stream("/generate", body, () => {}, left.signal).catch(() => {}));
    }
    for (;;) {
      const { text } = await server.request("GET", "/status");
      if (JSON.parse(text).queue.waiting === 3) break;
    }
  });
  after(async () => {
    left.abort();
    await Promise.all(streams);
    await server.stop();
  });
  const url = () => `http://127.0.0.1:${server.port}`;

  it("shows what /status says: numbers, slots, queue and curves", { timeout: 60_000 }, async () => {
    const opened = await OpenPage.open(url(), {}, "#live");
    const { page } = opened;
    await number(page, "running").getByText("4", { exact: true }).waitFor();
    await number(page, "waiting").getByText("3", { exact: true }).waitFor();
    assert.equal(await page.locator('[data-number="waiting"]').getByText("of 20").count(), 1);
    await number(page, "tokens")
      .getByText(/^[1-9]/)
      .waitFor();
    await number(page, "itl")
      .getByText(/ms|sec/)
      .waitFor();
    assert.equal(await page.locator(".worker").count(), 2);
    assert.equal(await page.locator(".slots .slot").count(), 4);
    // None is idle; which of the two they do at a moment depends on the machine, since windows that slide are read anew.
    await page.locator(".slots .slot:is(.slot-decode, .slot-prefill)").nth(3).waitFor();
    await page.locator(".slots .slot-decode").first().waitFor();
    const fill = await page
      .locator(".slots .slot")
      .first()
      .evaluate((cell) => cell.style.backgroundSize);
    assert.match(fill, /^100% \d+%$/);
    const rows = await page.locator(".queue tbody tr").allInnerTexts();
    assert.deepEqual(
      rows.map((row) => row.split(/\s+/).slice(0, 4).join(" ")),
      ["1 anonymous 0 1", "2 anonymous 0 1", "3 anonymous 0 1"],
    );
    assert.equal(await page.locator(".plot canvas").count(), 5);
    const plot = page.locator(".plot", { hasText: "Sequences" });
    await plot.locator("summary").click();
    assert.match(await plot.locator("tbody tr").first().innerText(), /^now\s+4\s+3$/);
    const { model, device } = JSON.parse((await server.request("GET", "/status")).text);
    assert.equal(await number(page, "model").innerText(), `${model.name} · ${model.precision}`);
    await page.locator('[data-number="server"]').getByText(`${device}, 2 workers`).waitFor();
    await opened.close();
  });

  it("says it in words when asked, and stands still when paused", { timeout: 60_000 }, async () => {
    const opened = await OpenPage.open(url(), {}, "#live");
    const { page } = opened;
    await number(page, "running").getByText("4", { exact: true }).waitFor();
    assert.equal(await page.locator("[aria-live]").count(), 0);
    await button(page, "In words").click();
    const said = await page.locator(".unseen[role=status]").innerText();
    assert.match(said, /tokens per second, 4 running, 3 waiting\. Worker 1 is busy: .*Worker 2 is busy: /);
    await button(page, "Pause").click();
    await page.getByText("Paused: the numbers stand still.").waitFor();
    await button(page, "Go on").click();
    await page.getByText("New each second").waitFor();
    await opened.close();
  });

  it("breaks no Korean word on a phone, and fits its screen", { timeout: 60_000 }, async () => {
    const opened = await OpenPage.open(url(), { locale: "ko-KR", viewport: PHONE }, "#live");
    const { page } = opened;
    await page.locator(".queue tbody tr").first().waitFor();
    const broken =
      await page.evaluate(`[...document.querySelectorAll(".queue th")].flatMap(({ firstChild: text }) =>
      [...text.textContent.matchAll(/\\S+/g)].flatMap(({ 0: word, index }) => {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        return range.getClientRects().length > 1 ? [word] : [];
      }),
    )`);
    assert.deepEqual(broken, []);
    assert.equal(await page.evaluate(`document.documentElement.scrollWidth > innerWidth`), false);
    await opened.close();
  });

  for (const look of looks)
    it(`has nothing serious for axe: ${nameOf(look)}`, { timeout: 60_000 }, async () => {
      const opened = await OpenPage.open(url(), look, "#live");
      const { page } = opened;
      await page.locator(".queue tbody tr").first().waitFor();
      await page.locator(".plot summary").first().click();
      await page.locator(".live .bar button").first().click();
      assert.deepEqual(await violations(page), []);
      const isWide = await page.evaluate(`document.documentElement.scrollWidth > innerWidth`);
      assert.equal(isWide, false, "it fits the screen's width");
      await opened.close();
    });
});

test("a view that is left, hidden or paused gives its place back", options, async (context) => {
  const watching = new ToldHoldings();
  const { url } = await serveStandIn(context, { watching });
  const opened = await OpenPage.open(url, {}, "#live");
  const { page } = opened;
  const shown = () => page.getByText("New each second").waitFor();
  /** A step after which no place is taken. */
  const frees = async (step: () => Promise<unknown>) => {
    await shown();
    assert.equal(watching.sum, 1);
    await Promise.all([once(watching.told, "given"), step()]);
    assert.equal(watching.sum, 0);
  };
  await frees(() => button(page, "Pause").click());
  await button(page, "Go on").click();
  const hide = (isHidden: boolean) =>
    page.evaluate(`Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));`);
  await frees(() => hide(true));
  await hide(false);
  await frees(() => page.getByRole("link", { name: "Jobs" }).click());
  await page.getByRole("link", { name: "Live" }).click();
  await frees(() => opened.close());
});

test("it asks for a key, marks own requests, and hides other callers", options, async (context) => {
  const key = (name: string) => ({ name, hash: hashKey(`key-of-${name}`), priority: 0, limits: unlimited });
  const server = await serveStandIn(context, {
    hold: true,
    slots: 1,
    callers: new Callers([key("web"), key("other")]),
  });
  const send = (caller: string) =>
    fetch(`${server.url}/generate`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer key-of-${caller}` },
      body: JSON.stringify({ prompt: "hi" }),
    });
  const answers = [send("other")];
  await server.until(() => server.jobs.length === 1);
  answers.push(send("web"), send("other"));
  const opened = await OpenPage.open(server.url, {}, "#live");
  const { page } = opened;
  await page.getByLabel("API key").fill("key-of-web");
  await button(page, "Use this key").click();
  await page.locator(".queue tbody tr").nth(1).waitFor();
  const callers = await page.locator(".queue .caller").allInnerTexts();
  assert.deepEqual(callers.map((text) => text.replace(/\s+/g, " ")).sort(), ["another caller", "web yours"]);
  assert.equal(await page.locator(".queue .own").count(), 1);
  assert.equal((await page.content()).includes("other<"), false);
  await opened.close();
  server.queue.clear();
  await Promise.allSettled(answers);
});

test("a server that falls silent is told, and followed again", { ...options, timeout: 60_000 }, async () => {
  const server = await ServerProcess.ready(model, { JAI_CONCURRENCY: "1" });
  const opened = await OpenPage.open(`http://127.0.0.1:${server.port}`, {}, "#live", { hasClock: true });
  const { page } = opened;
  await page.getByText("New each second").waitFor();
  server.kill("SIGSTOP");
  try {
    await page.clock.runFor(11_000);
    await page.getByText("The numbers are old. Trying again.").waitFor();
  } finally {
    server.kill("SIGCONT");
  }
  await page.clock.runFor(11_000);
  await page.getByText("New each second").waitFor();
  await opened.close();
  await server.stop();
});

test("it connects again after a restart of the server", { ...options, timeout: 90_000 }, async () => {
  const port = await freePort();
  const first = await ServerProcess.ready(model, { JAI_PORT: String(port), JAI_CONCURRENCY: "1" });
  const opened = await OpenPage.open(`http://127.0.0.1:${port}`, {}, "#live");
  const { page } = opened;
  await page.getByText("New each second").waitFor();
  await first.stop();
  await page.getByText("The numbers are old. Trying again.").waitFor();
  assert.equal(await page.locator(".tile").first().isVisible(), true, "the last numbers stay");
  const second = await ServerProcess.ready(model, { JAI_PORT: String(port), JAI_CONCURRENCY: "2" });
  await page.locator('[data-number="running"]').getByText("of 2 slots").waitFor({ timeout: 40_000 });
  await page.getByText("New each second").waitFor();
  await opened.close();
  await second.stop();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
