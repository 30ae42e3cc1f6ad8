// Long, broken and failing outputs in a browser, against the app with a stand-in for the pool.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { finished } from "../fixtures/finished.js";
import { type StandInOptions, serveStandIn } from "../fixtures/stand-in.js";
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
