// Long, broken and failing outputs in a browser, against the app with a stand-in for the pool.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { finished } from "../fixtures/finished.js";
import { type StandInOptions, serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";
import { noBrowser, OpenPage } from "./fixtures/browser.js";

const options = { skip: noBrowser, timeout: 60_000 };

async function open(context: TestContext, own: StandInOptions, fragment = "") {
  const server = await serveStandIn(context, { hold: true, ...own });
  const opened = await OpenPage.open(server.url, {}, fragment);
  return { ...server, opened, page: opened.page };
}

const answering = (text: string, completionTokens = 3): StandInOptions => ({
  answer: () => finished({ reason: "stop", generated: text, fullText: text, completionTokens }),
});

test(
  "an output of 100,000 characters comes whole, in many pieces, and with broken characters",
  options,
  async (context) => {
    const piece = "서울 <b>\ud800 \udc00😀\n".repeat(4);
    const pieces = Math.ceil(100_000 / piece.length);
    const text = piece.repeat(pieces);
    const { page, opened, jobs, until } = await open(context, answering(text, pieces));
    await page.locator(".composer textarea").fill("hi");
    await page.getByRole("button", { name: "Send" }).click();
    await until(() => jobs.length === 1);
    for (let n = 0; n < pieces; n++) jobs[0]!.say(piece, 1);
    jobs[0]!.finish();
    await page.getByRole("button", { name: /^seed/ }).waitFor();
    const shown = await page.locator(".turn-assistant .text").evaluate((node) => node.textContent!.length);
    assert.equal(shown, text.length);
    await page.getByRole("button", { name: "Share" }).click();
    await page.waitForURL(/#z=/);
    await page.goto("about:blank");
    await page.goBack();
    await page.getByRole("button", { name: "Run as job" }).click();
    await opened.close();
  },
);

test("of several samples of which one fails, the others stay", options, async (context) => {
  const { page, opened, jobs, until } = await open(context, answering("whole"));
  await page.getByLabel("Samples").fill("3");
  await page.locator(".composer textarea").fill("hi");
  await page.getByRole("button", { name: "Send" }).click();
  await until(() => jobs.length === 3);
  for (const [index, job] of jobs.entries()) job.say(`sample ${index}`, 1);
  await page.locator(".sample .text").getByText("sample 2").waitFor();
  jobs[1]!.fail(new Error("gone"));
  await page
    .getByRole("alert")
    .getByText(/^The server failed/)
    .waitFor();
  await page.getByText("Failed", { exact: true }).waitFor();
  assert.deepEqual(await page.locator(".sample .text").allInnerTexts(), ["sample 0", "sample 1", "sample 2"]);
  await page.getByRole("button", { name: "Continue with this one" }).nth(2).click();
  assert.equal(await page.locator(".sample.chosen .text").innerText(), "sample 2");
  await opened.close();
});

test("a server that cannot keep a job says so, with the time to wait in words", options, async (context) => {
  const { page, opened, assembly } = await open(context, {});
  const { space } = assembly.parts;
  space.take("another", space.limit);
  await page.locator(".composer textarea").fill("hi");
  await page.getByRole("button", { name: "Run as job" }).click();
  await page
    .getByRole("alert")
    .getByText(/^The server cannot keep this now. It says: The store of jobs and answers is full$/)
    .waitFor();
  await page.route("**/jobs", (route) =>
    route.fulfill({ status: 429, headers: { "retry-after": "43200" }, json: { detail: "no tokens left" } }),
  );
  await page.getByRole("button", { name: "Run as job" }).click();
  await page.getByRole("alert").getByText("Try again in 12 hours.").waitFor();
  await opened.close();
});

test("a job's view asks for a key when its own is revoked while it is open", options, async (context) => {
  const key = (name: string) => ({ name, hash: hashKey(`key-of-${name}`), priority: 0, limits: unlimited });
  const callers = new Callers([key("web")]);
  const { page, opened, jobs, until } = await open(context, { callers, ...answering("whole") }, "#jobs");
  await page.getByLabel("API key").fill("key-of-web");
  await page.getByRole("button", { name: "Use this key" }).click();
  await page.getByText("No jobs.").waitFor();
  await page.getByRole("link", { name: "Playground" }).click();
  await page.locator(".composer textarea").fill("hi");
  await page.getByRole("button", { name: "Run as job" }).click();
  await page.locator(".job-name").click();
  await until(() => jobs.length === 1);
  jobs[0]!.say("secret one", 1);
  await page.locator(".job-detail").getByText("secret one").waitFor();
  callers.replace([key("another")]);
  await page.getByLabel("API key").waitFor();
  jobs[0]!.say("secret two", 1);
  jobs[0]!.finish();
  assert.equal(await page.getByText("secret two").count(), 0);
  await opened.close();
});

test("a clock of the browser that jumps leaves the live view as it is", options, async (context) => {
  const server = await serveStandIn(context);
  const opened = await OpenPage.open(server.url, {}, "#live", { hasClock: true });
  const { page } = opened;
  await page.getByText("New each second").waitFor();
  const table = async () => {
    await page.getByText("As a table").first().click();
    const text = await page.locator(".plot tbody").first().innerText();
    await page.getByText("As a table").first().click();
    return text.split("\n").length;
  };
  const rows = await table();
  for (const time of ["2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"]) {
    await page.clock.setSystemTime(new Date(time));
    const uptime = await page.locator('[data-number="uptime"] .value').innerText();
    await page.locator('[data-number="uptime"] .value').filter({ hasNotText: uptime }).waitFor();
    assert.equal(await page.getByText("New each second").count(), 1);
    assert.equal(await table(), rows);
  }
  await opened.close();
});
