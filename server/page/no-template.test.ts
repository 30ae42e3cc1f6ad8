// The playground in a browser, for a model without a chat template.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";
import { noBrowser, OpenPage } from "./fixtures/browser.js";

describe("the playground of a model without a chat template", { skip: noBrowser }, () => {
  it("opens with completions, and says why there is no chat", async (context) => {
    const { url, jobs } = await serveStandIn(context, { model: { chatTemplate: null } });
    const opened = await OpenPage.open(url);
    const { page } = opened;
    await page.getByText("This model has no chat template").waitFor();
    const chat = page.getByRole("radio", { name: "Chat" });
    assert.equal(await chat.isDisabled(), true);
    assert.equal(await page.getByRole("radio", { name: "Completion" }).isChecked(), true);
    await page.locator(".composer textarea").fill("Once");
    await page.getByLabel("Max tokens").fill("5");
    const answered = page.waitForResponse(/\/v1\/completions$/);
    await page.getByRole("button", { name: "Send" }).click();
    assert.equal((await answered).status(), 200);
    assert.equal(String.fromCodePoint(...jobs.at(-1)!.task.promptIds), "Once");
    await opened.close();
  });
});
