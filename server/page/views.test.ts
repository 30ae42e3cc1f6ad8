// Jobs, keys, the frame and the errors in a browser, against the app with a stand-in for the pool.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { Page, Route } from "playwright-core";
import { finished } from "../fixtures/finished.js";
import { type StandInOptions, serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";
import { noBrowser, OpenPage, PHONE } from "./fixtures/browser.js";

/** A wait that never ends is a failure of its own test. */
const options = { skip: noBrowser, timeout: 60_000 };
const limits = { requestsPerMinute: 60, tokensPerMinute: null, tokensPerDay: 100_000, concurrentRequests: 2 };
const keyed = (own: Partial<typeof limits> = {}) => ({
  callers: new Callers([
    { name: "web", hash: hashKey("the-key"), priority: 0, limits: { ...unlimited, ...limits, ...own } },
  ]),
});
const answering = (text: string): StandInOptions => ({
  answer: () => finished({ reason: "stop", generated: text, fullText: text, completionTokens: 3 }),
});

async function open(context: TestContext, own: StandInOptions, fragment = "", browser = {}) {
  const server = await serveStandIn(context, own);
  const opened = await OpenPage.open(server.url, browser, fragment);
  return { ...server, opened, page: opened.page };
}

async function send(page: Page, text: string) {
  await page.locator(".composer textarea").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

async function giveKey(page: Page, key: string, remember = false) {
  await page.getByLabel("API key").fill(key);
  if (remember) await page.getByLabel("Keep it in this browser").check();
  await page.getByRole("button", { name: "Use this key" }).click();
}

test("the page asks for a key, and keeps it for the tab alone unless asked", options, async (context) => {
  const { page, opened, url } = await open(context, { ...keyed(), ...answering("hello") });
  await send(page, "hi");
  await page.getByText("The server asks for an API key.").waitFor();
  await giveKey(page, "another");
  await page.getByRole("button", { name: "Try again" }).click();
  await giveKey(page, "the-key");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".turn-assistant").getByText("hello").waitFor();
  const newTab = async () => {
    const tab = await page.context().newPage();
    await tab.goto(`${url}/#keys`);
    return tab;
  };
  const second = await newTab();
  await giveKey(second, "the-key", true);
  await second.getByText("priority 0").waitFor();
  const third = await newTab();
  await third.getByText("priority 0").waitFor();
  await third.getByRole("button", { name: "Forget the key" }).click();
  await third.getByLabel("API key").waitFor();
  await opened.close();
});

for (const [what, script] of [
  ["full", "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }"],
  [
    "forbidden",
    `for (const name of ["sessionStorage", "localStorage"])
      Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } })`,
  ],
  [
    "missing",
    'for (const name of ["sessionStorage", "localStorage"]) Object.defineProperty(window, name, { value: null })',
  ],
] as const)
  test(
    `with a browser's store that is ${what}, the key and what one likes hold until the tab is closed`,
    options,
    async (context) => {
      const { page, opened, url } = await open(context, { ...keyed(), ...answering("hello") });
      await page.addInitScript(script);
      await page.goto(`${url}/?again#keys`);
      await giveKey(page, "the-key", true);
      await page.getByText("priority 0").waitFor();
      await page.getByRole("link", { name: "Playground" }).click();
      await page.getByLabel("Theme").selectOption("dark");
      await send(page, "hi");
      await page.locator(".turn-assistant").getByText("hello").waitFor();
      await page.getByRole("link", { name: "Keys" }).click();
      await page.getByRole("button", { name: "Forget the key" }).click();
      await page.getByLabel("API key").waitFor();
      await opened.close();
    },
  );

test(
  "below a proxy's path all views work, and the key of one path is not sent to another",
  options,
  async (context) => {
    const { url } = await serveStandIn(context, { ...keyed(), ...answering("hello") });
    const asked: string[] = [];
    const proxy = createServer((req, res) => {
      const [, prefix, path] = /^\/(one|two)(\/.*)/.exec(req.url!) ?? [];
      if (prefix === undefined) return void res.writeHead(404).end();
      asked.push(`${prefix} ${req.headers.authorization ?? "none"}`);
      const { method, headers } = req;
      const passed = request(url + path, { method, headers }, (answer) => {
        res.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(res);
        res.once("close", () => answer.destroy());
      });
      req.pipe(passed.on("error", () => res.destroy()));
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const { port } = proxy.address() as AddressInfo;
    const opened = await OpenPage.open(`http://127.0.0.1:${port}/one`, {}, "#keys");
    const { page } = opened;
    await giveKey(page, "the-key", true);
    await page.getByText("priority 0").waitFor();
    await page.getByRole("link", { name: "Live" }).click();
    await page.getByText("New each second").waitFor();
    await page.getByRole("link", { name: "Jobs" }).click();
    await page.getByText("No jobs.").waitFor();
    await page.getByRole("link", { name: "Playground" }).click();
    await send(page, "hi");
    await page.locator(".turn-assistant").getByText("hello").waitFor();
    await page.getByRole("button", { name: "Code" }).click();
    await page.getByRole("dialog").getByText(`http://127.0.0.1:${port}/one/v1/chat/completions`).waitFor();
    const other = await page.context().newPage();
    await other.goto(`http://127.0.0.1:${port}/two/#keys`);
    await other.getByLabel("API key").waitFor();
    assert.ok(asked.includes("one Bearer the-key"));
    assert.deepEqual([...new Set(asked.filter((line) => line.startsWith("two")))], ["two none"]);
    await opened.close();
    proxy.closeAllConnections();
    proxy.close();
  },
);

test("a key is in no program and in no link", options, async (context) => {
  const { page, opened } = await open(context, { ...keyed(), ...answering("hello") });
  await send(page, "hi");
  await giveKey(page, "the-key");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".turn-assistant").getByText("hello").waitFor();
  await page.getByRole("button", { name: "Code" }).click();
  const dialog = page.getByRole("dialog");
  for (const language of ["curl", "Python", "JavaScript"]) {
    await dialog.getByRole("radio", { name: language }).check();
    const program = await dialog.locator("pre").innerText();
    assert.match(program, /JAI_API_KEY/);
    assert.doesNotMatch(program, /the-key/);
  }
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Share" }).click();
  await page.waitForURL(/#s=/);
  const shared = Buffer.from(page.url().split("#s=")[1]!, "base64url").toString();
  assert.match(shared, /hello/);
  assert.doesNotMatch(shared, /the-key/);
  await opened.close();
});

test("the keys' view shows what is used and what is left", options, async (context) => {
  const { page, opened } = await open(context, { ...keyed(), ...answering("hello") }, "#keys");
  await giveKey(page, "the-key");
  await page.getByText("2 of 2 left").waitFor();
  await page.getByText(/^100,000 of 100,000 left/).waitFor();
  await page.getByText("no limit").waitFor();
  await page.getByRole("link", { name: "Playground" }).click();
  await send(page, "hi");
  await page.locator(".turn-assistant").getByText("hello").waitFor();
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByText(/of 100,000 left · full again in \d+ (hours?|minutes?)/).waitFor();
  const row = page.locator("tbody tr");
  assert.match(await row.innerText(), /^\d{4}-\d\d-\d\d\s+1\s+0\s+\d+\s+3\s+\d+$/);
  await page.getByRole("button", { name: "Use another key" }).click();
  await page.getByLabel("API key").waitFor();
  await page.getByRole("button", { name: "Refresh" }).click();
  await opened.close();
});

test("a refusal for a limit or a full queue is told with the time to wait", options, async (context) => {
  const limited = await open(context, { ...keyed({ requestsPerMinute: 1 }), ...answering("hello") });
  await send(limited.page, "hi");
  await giveKey(limited.page, "the-key");
  await limited.page.getByRole("button", { name: "Try again" }).click();
  await limited.page.locator(".turn-assistant").getByText("hello").waitFor();
  await send(limited.page, "more");
  await limited.page
    .getByText(/^A limit is reached. Try again in \d+ seconds?. It says: This key's requests/)
    .waitFor();
  await limited.opened.close();
  const full = await open(context, { hold: true, slots: 1, limit: 1 });
  full.post("/generate", { prompt: "x" }).catch(() => {});
  await full.until(() => full.jobs.length === 1);
  full.post("/generate", { prompt: "x" }).catch(() => {});
  while (full.queue.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  await send(full.page, "hi");
  await full.page
    .getByText(/^The server is busy. Try again in \d+ seconds?. It says: The queue is full$/)
    .waitFor();
  await full.opened.close();
});

test(
  "a request that waits shows its place, and one that is stopped there leaves the queue",
  options,
  async (context) => {
    const { page, opened, queue, jobs, until, post } = await open(context, { hold: true, slots: 1 });
    post("/generate", { prompt: "x" }).catch(() => {});
    await until(() => jobs.length === 1);
    await send(page, "hi");
    await page.getByText(/^Position 1 in the queue, about \d+ seconds?…$/).waitFor();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByText("Stopped").first().waitFor();
    while (queue.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
    await opened.close();
  },
);

test(
  "a server that goes away midway, and a network that is off, are told in words",
  options,
  async (context) => {
    const { page, opened, jobs, until } = await open(context, { hold: true });
    await send(page, "hi");
    await until(() => jobs.length === 1);
    jobs[0]!.say("half of", 2);
    await page.locator(".turn-assistant").getByText("half of").waitFor();
    jobs[0]!.fail(new Error("gone"));
    await page
      .getByRole("alert")
      .getByText(/^The server failed/)
      .waitFor();
    // What had come stays.
    assert.equal(await page.locator(".turn-assistant .text").innerText(), "half of");
    await page.getByRole("button", { name: "Clear" }).click();
    await page.context().setOffline(true);
    await send(page, "more");
    await page.getByText("You are offline. Nothing was sent.").waitFor();
    await page.context().setOffline(false);
    await page.getByRole("button", { name: "Try again" }).click();
    await until(() => jobs.length === 2);
    await opened.close();
  },
);

test("programs name the model while the server is away", options, async (context) => {
  const { url } = await serveStandIn(context);
  const opened = await OpenPage.open(url, {}, "", { hasClock: true });
  const { page } = opened;
  await page.route("**/health", (route) => route.abort());
  await page.clock.runFor(16_000);
  await page.locator(".dot-away").waitFor();
  await page.getByRole("button", { name: "Code" }).click();
  await page.getByRole("dialog").getByText('"model": "stand-in"').waitFor();
  await opened.close();
});

test("a job of the playground runs before one's eyes, is kept, and is removed", options, async (context) => {
  const { page, opened, jobs, until } = await open(context, {
    hold: true,
    ...answering("once upon a time"),
  });
  await page.locator(".composer textarea").fill("tell");
  await page.getByRole("button", { name: "Run as job" }).click();
  await until(() => jobs.length === 1);
  const row = page.locator(".jobs li");
  await row.locator(".job-name").click();
  jobs[0]!.say("once upon", 2);
  await row.locator(".job-detail").getByText("once upon").waitFor();
  await row
    .getByText(/^2 of at most \d+ tokens$/)
    .first()
    .waitFor();
  jobs[0]!.finish();
  await row.locator(".job-detail").getByText("once upon a time").first().waitFor();
  await row.locator(".state").getByText("done").waitFor();
  await row.getByText("Whole response").click();
  await row.getByText('"choices"').waitFor();
  await page.getByLabel("State").selectOption("failed");
  await page.getByText("No jobs.").waitFor();
  await page.getByLabel("State").selectOption("all");
  await row.getByRole("button", { name: /^Remove/ }).click();
  await page.getByText("No jobs.").waitFor();
  await opened.close();
});

test("a job that runs is cancelled, and one can be sent from the list", options, async (context) => {
  const { page, opened, jobs, until } = await open(context, { hold: true });
  await page.locator(".composer textarea").fill("tell");
  await page.getByRole("link", { name: "Jobs" }).click();
  await page.getByRole("button", { name: "Run the playground as a job" }).click();
  await until(() => jobs.length === 1);
  await page.getByRole("button", { name: /^Cancel/ }).click();
  await until(() => jobs[0]!.cancelled);
  await page.locator(".jobs .state").getByText("cancelled").waitFor();
  await page.getByRole("button", { name: "Refresh" }).click();
  await opened.close();
});

test("an answer that is cleared while it is written does not come back", options, async (context) => {
  const { page, opened, jobs, until } = await open(context, { hold: true, ...answering("one two") });
  await send(page, "first");
  await until(() => jobs.length === 1);
  jobs[0]!.say("one", 1);
  await page.locator(".turn-assistant").getByText("one").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await until(() => jobs[0]!.cancelled);
  assert.equal(await page.locator(".turn").count(), 0);
  await send(page, "second");
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  await page.locator(".turn-assistant").getByText("one two").waitFor();
  assert.equal(await page.locator(".turn").count(), 2);
  await opened.close();
});

test(
  "a link that is opened on the page sets the playground, and going back to it does not",
  options,
  async (context) => {
    const { page, opened, jobs, until } = await open(context, { hold: true });
    const draft = page.locator(".composer textarea");
    await send(page, "before");
    await until(() => jobs.length === 1);
    const state = Buffer.from(JSON.stringify({ draft: "shared words" })).toString("base64url");
    await page.evaluate(`location.hash = "s=${state}"`);
    await page.locator(".turn").waitFor({ state: "detached" });
    assert.equal(await draft.inputValue(), "shared words");
    // What ran belongs to what was there before. Nothing of the link is sent.
    await until(() => jobs[0]!.cancelled);
    assert.equal(jobs.length, 1);
    await draft.fill("mine");
    await page.getByRole("link", { name: "Live" }).click();
    await page.goBack();
    await draft.waitFor();
    assert.equal(await draft.inputValue(), "mine");
    assert.equal(await page.locator(".turn").count(), 0);
    await opened.close();
  },
);

test("a late refusal of no key leaves the new key alone", options, async (context) => {
  const { page, opened } = await open(context, keyed(), "#jobs");
  await page.getByLabel("API key").waitFor();
  let hold!: (route: Route) => void;
  const keyless = new Promise<Route>((resolve) => {
    hold = resolve;
  });
  await page.route("**/jobs?*", (route) =>
    route.request().headers().authorization ? route.continue() : hold(route),
  );
  await page.getByRole("button", { name: "Refresh" }).click();
  const late = await keyless;
  await giveKey(page, "the-key");
  await page.getByText("No jobs.").waitFor();
  const answered = page.waitForResponse((response) => response.url().includes("/jobs?") && response.ok());
  await late.continue();
  await answered;
  assert.equal(await page.evaluate(`sessionStorage.getItem("jai-key")`), "the-key");
  assert.equal(await page.getByLabel("API key").count(), 0);
  await opened.close();
});

test("an answer goes on while another view is open", options, async (context) => {
  const { page, opened, jobs, until } = await open(context, { hold: true, ...answering("one two") });
  await send(page, "hi");
  await until(() => jobs.length === 1);
  jobs[0]!.say("one", 1);
  await page.getByRole("link", { name: "Jobs" }).click();
  jobs[0]!.say(" two", 2);
  jobs[0]!.finish();
  await page.getByText("No jobs.").waitFor();
  await page.getByRole("link", { name: "Playground" }).click();
  await page.locator(".turn-assistant").getByText("one two").waitFor();
  assert.equal(jobs[0]!.cancelled, false);
  await opened.close();
});

test(
  "language and colours follow the browser, and the user's choice, which lasts",
  options,
  async (context) => {
    const { url } = await serveStandIn(context);
    const opened = await OpenPage.open(url, { locale: "ko-KR", colorScheme: "dark" });
    const { page } = opened;
    await page.getByRole("button", { name: "보내기" }).waitFor();
    const back = () =>
      page
        .locator("html")
        .evaluate(
          (html: { ownerDocument: { defaultView: unknown } }) =>
            (
              html.ownerDocument.defaultView as { getComputedStyle(e: unknown): { backgroundColor: string } }
            ).getComputedStyle(html).backgroundColor,
        );
    const dark = await back();
    await page.getByLabel("테마").selectOption("light");
    assert.notEqual(await back(), dark);
    await page.getByLabel("언어").selectOption("en");
    await page.getByRole("button", { name: "Send" }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Send" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    assert.notEqual(await back(), dark);
    await opened.close();
  },
);

test(
  "the keyboard reaches the content first, and a phone needs no sideways scrolling",
  options,
  async (context) => {
    const { page, opened } = await open(context, answering("word ".repeat(200)), "", { viewport: PHONE });
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(":focus").innerText(), "Skip to content");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(":focus").getAttribute("id"), "content");
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByLabel("Samples").fill("2");
    await page.getByRole("button", { name: "Settings" }).click();
    await send(page, "x".repeat(20));
    await page.getByRole("button", { name: /^seed/ }).waitFor();
    for (const view of ["Playground", "Jobs", "Keys"]) {
      await page.getByRole("link", { name: view }).click();
      const width = await page.locator("html").evaluate((html: { scrollWidth: number }) => html.scrollWidth);
      assert.ok(width <= PHONE.width, `${view}: ${width} pixels`);
    }
    await opened.close();
  },
);

test("a hostile output shows as text, and runs nothing", options, async (context) => {
  const text =
    '<img src=x onerror="alert(1)"><script>alert(2)</script>\u001b[31mred\u001b]8;;http://evil.example\u0007link\u202Egnp.exe\u2066 [x](javascript:alert(3))';
  const { page, opened, jobs, until } = await open(context, { hold: true, ...answering(text) });
  await send(page, "hi");
  await until(() => jobs.length === 1);
  jobs[0]!.say(text, 3);
  jobs[0]!.finish();
  await page.getByRole("button", { name: /^seed/ }).waitFor();
  await page.getByRole("button", { name: "Run as job" }).click();
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  await page.locator(".jobs .state").getByText("done").waitFor();
  await page.locator(".job-name").click();
  await page.locator(".job-detail .control").first().waitFor();
  await page.getByText("Whole response").click();
  assert.equal(await page.locator("#page img, #page script").count(), 0);
  await page.getByRole("link", { name: "Playground" }).click();
  await page.locator(".turn-user").getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Edit" }).fill(text);
  await page.getByRole("button", { name: "Save" }).click();
  for (const turn of ["user", "assistant"]) {
    const shown = page.locator(`.turn-${turn} .text`).first();
    assert.match(await shown.innerText(), /^<img src=x onerror="alert\(1\)"><script>alert\(2\)<\/script>/);
    assert.deepEqual(await shown.locator(".control").allInnerTexts(), [
      "ESC",
      "ESC",
      "BEL",
      "U+202E",
      "U+2066",
    ]);
    assert.equal(await shown.locator(":not(.control)").count(), 0);
  }
  assert.equal(await page.locator("#page img, #page script, #page a[href^=javascript]").count(), 0);
  // A dialog, an error, or a request to another host fails here.
  await opened.close();
});
