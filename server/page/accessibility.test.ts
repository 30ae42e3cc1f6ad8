// axe looks at every view, in both languages, light and dark, wide and narrow.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { TokenLogprob } from "../../workers/engine/sampling/logprobs.js";
import { finished } from "../fixtures/finished.js";
import { serveStandIn } from "../fixtures/stand-in.js";
import { looks, nameOf, violations } from "./fixtures/axe.js";
import { noBrowser, OpenPage } from "./fixtures/browser.js";

async function serve(context: TestContext) {
  const logprobs: TokenLogprob[] = Array.from("ok", (character) => {
    const id = character.codePointAt(0)!;
    return { id, logprob: -1, top: [[id, -1]] };
  });
  return serveStandIn(context, {
    answer: () =>
      finished({ reason: "stop", generated: "ok", fullText: "ok", completionTokens: 2, logprobs }),
  });
}

for (const look of looks) {
  test(`axe finds nothing serious: ${nameOf(look)}`, {
    skip: noBrowser,
    timeout: 120_000,
  }, async (context) => {
    const { url } = await serve(context);
    const opened = await OpenPage.open(url, look);
    const { page } = opened;
    const check = async (what: string) => assert.deepEqual(await violations(page), [], what);
    await check("empty");
    if ("viewport" in look) await page.locator(".settings-toggle").click();
    for (const fold of await page.locator(".fold summary").all()) await fold.click();
    await page.locator(".fold input[type=checkbox]").first().check();
    await page.locator("#field-n").fill("2");
    await page.locator("#field-temperature").fill("hot");
    await check("all settings, one of them wrong");
    await page.locator("#field-temperature").fill("");
    await page.locator(".composer textarea").fill("hi");
    await page.locator(".composer button").click();
    await page.locator(".facts .link").waitFor();
    await check("an answer of two samples with tokens");
    await page.locator(".tools button", { hasText: /^(Code|코드)$/ }).click();
    await check("the code");
    await page.keyboard.press("Escape");
    await page.locator(".tools button").last().click();
    await page.locator(".jobs .state-done").waitFor();
    await page.locator(".job-name").click();
    await page.locator(".job-detail .facts").waitFor();
    await check("jobs");
    await page.locator(".tabs a").last().click();
    await page.locator("table").waitFor();
    await check("usage");
    await opened.close();
  });
}
