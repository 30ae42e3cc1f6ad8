import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { hubSettings } from "./settings.js";

test("without variables it is Hugging Face, and its usual cache", () => {
  assert.deepEqual(hubSettings({}), {
    endpoint: "https://huggingface.co",
    token: null,
    cache: join(homedir(), ".cache/huggingface/hub"),
    offline: false,
    stallMs: 30_000,
    retryMs: 1000,
  });
});

test("variables say it as for Hugging Face's own programs; an empty one says nothing", () => {
  const cases: [NodeJS.ProcessEnv, object][] = [
    [{ HF_ENDPOINT: "http://mirror:8080/hf/" }, { endpoint: "http://mirror:8080/hf" }],
    [{ HF_ENDPOINT: "", HF_TOKEN: "", HF_HOME: "", XDG_CACHE_HOME: "" }, {}],
    [{ HF_TOKEN: " hf_x\n" }, { token: "hf_x" }],
    [{ XDG_CACHE_HOME: "/c" }, { cache: resolve("/c/huggingface/hub") }],
    [{ XDG_CACHE_HOME: "/c", HF_HOME: "/h" }, { cache: resolve("/h/hub") }],
    [{ HF_HOME: "/h", HF_HUB_CACHE: "~/models" }, { cache: join(homedir(), "models") }],
    [{ HF_HUB_OFFLINE: "1" }, { offline: true }],
    [{ HF_HUB_OFFLINE: "0" }, {}],
    [{ HF_HUB_DOWNLOAD_TIMEOUT: "5" }, { stallMs: 5000 }],
  ];
  for (const [env, expected] of cases)
    assert.deepEqual(hubSettings(env), { ...hubSettings({}), ...expected });
});

test("a wrong variable is named, and a token is not shown", () => {
  const cases: [NodeJS.ProcessEnv, RegExp][] = [
    [
      { HF_ENDPOINT: "huggingface.co" },
      /^HF_ENDPOINT: expected an address such as https:\/\/huggingface\.co/,
    ],
    [{ HF_ENDPOINT: "file:///etc" }, /^HF_ENDPOINT: /],
    [{ HF_ENDPOINT: "https://me:secret@hub" }, /^HF_ENDPOINT: [^\n]*got another text$/],
    [{ HF_TOKEN: "hf_se\ncret" }, /^HF_TOKEN: expected an access token, got a text with other characters$/],
    [
      { HF_HUB_DOWNLOAD_TIMEOUT: "soon" },
      /^HF_HUB_DOWNLOAD_TIMEOUT: expected up to 3600 seconds, got "soon"$/,
    ],
  ];
  for (const [env, message] of cases) assert.throws(() => hubSettings(env), { message });
});
