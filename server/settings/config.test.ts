import assert from "node:assert/strict";
import { isAbsolute, join, resolve } from "node:path";
import { test } from "node:test";
import { UsageError } from "./args.js";
import {
  ConfigError,
  describeSettings,
  environmentName,
  readConfig,
  settings,
  unknownSettings,
} from "./config.js";

test("without flags and variables: the documented defaults, frozen", () => {
  const config = readConfig([], {});
  assert.equal(config.host, "127.0.0.1");
  assert.equal(config.port, 8000);
  assert.equal(config.queueLimit, 256);
  assert.equal(config.maxTokens, 4096);
  assert.equal(config.workers, "auto");
  assert.ok(config.model.endsWith(join("models", "jai-small")) && isAbsolute(config.model));
  assert.ok(Object.isFrozen(config));
});

test("every setting is read from its environment variable or its flag, and the flag wins", () => {
  assert.equal(readConfig([], { JAI_QUEUE_LIMIT: "0" }).queueLimit, 0);
  assert.equal(readConfig(["--queue-limit", "7"], { JAI_QUEUE_LIMIT: "0" }).queueLimit, 7);
  assert.equal(readConfig(["--queue-limit=7"], {}).queueLimit, 7);
  for (const { flag, default: value } of Object.values(settings)) {
    assert.doesNotThrow(() =>
      readConfig([`--${flag}`, String(value)], { [environmentName(flag)]: String(value) }),
    );
  }
});

test("an empty environment variable counts as absent, an empty flag does not", () => {
  assert.equal(readConfig([], { JAI_PORT: "" }).port, 8000);
  assert.throws(() => readConfig(["--port", ""], {}), ConfigError);
});

test("a carriage return at the end of an environment variable is ignored", () => {
  const config = readConfig([], { JAI_PORT: "80\r", JAI_DATA_DIR: "/x/d\r", JAI_HOST: "\r" });
  assert.deepEqual([config.port, config.dataDir, config.host], [80, resolve("/x/d"), "127.0.0.1"]);
});

test("an unknown JAI_ variable is reported with the nearest setting", () => {
  const environment = {
    JAI_PROT: "1",
    JAI_QUEUE_LIMITS: "",
    JAI_SOMETHING_ELSE: "x",
    JAI_HOST: "x",
    JAI_API_KEY: "of jai chat",
    PATH: "",
    jai_port: "1",
  };
  assert.deepEqual(unknownSettings(environment), [
    "JAI_PROT: no such setting; did you mean JAI_PORT?",
    "JAI_QUEUE_LIMITS: no such setting; did you mean JAI_QUEUE_LIMIT?",
    "JAI_SOMETHING_ELSE: no such setting",
  ]);
});

test("a model folder is made absolute", () => {
  assert.equal(readConfig(["--model", "here"], {}).model, join(process.cwd(), "here"));
});

for (const [variable, value, message] of [
  ["JAI_PORT", "abc", 'JAI_PORT: expected an integer from 0 to 65535, got "abc"'],
  ["JAI_PORT", "65536", 'JAI_PORT: expected an integer from 0 to 65535, got "65536"'],
  ["JAI_PORT", "-1", 'JAI_PORT: expected an integer from 0 to 65535, got "-1"'],
  ["JAI_PORT", "1e3", 'JAI_PORT: expected an integer from 0 to 65535, got "1e3"'],
  ["JAI_PORT", "80 ", 'JAI_PORT: expected an integer from 0 to 65535, got "80 "'],
  ["JAI_WORKERS", "0", 'JAI_WORKERS: expected auto or an integer from 1 to 64, got "0"'],
  ["JAI_DEVICE", "gpu", 'JAI_DEVICE: expected one of auto, cpu, cuda, webgpu, got "gpu"'],
  ["JAI_LOG_LEVEL", "INFO", 'JAI_LOG_LEVEL: expected one of error, warn, info, debug, got "INFO"'],
] as const) {
  test(`${variable}=${value} is refused, with what was expected and what came`, () => {
    assert.throws(() => readConfig([], { [variable]: value }), { name: "ConfigError", message });
  });
}

for (const list of ["se cret", "a=secret,a=secret2", "a=secret,b=secret", "a=secret,", "a b=secret", "é"]) {
  test(`JAI_API_KEYS=${list} is refused without quoting it`, () => {
    for (const read of [
      () => readConfig([], { JAI_API_KEYS: list }),
      () => readConfig(["--api-keys", list], {}),
    ]) {
      assert.throws(read, (error: Error) => {
        assert.equal(error.name, "ConfigError");
        assert.match(
          error.message,
          /api.keys: expected none, or keys .* got something else, which is not shown$/i,
        );
        assert.doesNotMatch(error.message, /secret|é/);
        return true;
      });
    }
  });
}

test("origins are checked one by one", () => {
  const origins = (JAI_CORS_ORIGINS: string) => readConfig([], { JAI_CORS_ORIGINS }).corsOrigins;
  assert.deepEqual(origins("https://a.example, http://localhost:5173"), [
    "https://a.example",
    "http://localhost:5173",
  ]);
  assert.equal(origins("*"), "*");
  for (const wrong of ["https://a.example/", "a.example", "https://*.example,*", "null", "file:///x"])
    assert.throws(() => origins(wrong), /^ConfigError: JAI_CORS_ORIGINS: expected none, \* or origins/);
});

test("a bad flag is named as the flag", () => {
  assert.throws(() => readConfig(["--port", "x\ny"], {}), {
    message: '--port: expected an integer from 0 to 65535, got "x\\ny"',
  });
});

for (const args of [["--prot", "1"], ["--port"], ["serve"], ["-p", "1"], ["--port", "--host"]]) {
  test(`"${args.join(" ")}" is reported as wrong usage in one line`, () => {
    assert.throws(
      () => readConfig(args, {}),
      (error) => error instanceof UsageError && !error.message.includes("\n"),
    );
  });
}

test("an unknown flag is reported with the nearest known one", () => {
  assert.throws(() => readConfig(["--prot", "1"], {}), {
    message: "Unknown option '--prot' (did you mean --port?)",
  });
});

test("the usage lists every flag and variable", () => {
  const usage = describeSettings();
  for (const { flag } of Object.values(settings)) {
    assert.ok(usage.includes(`--${flag} `));
    assert.ok(usage.includes(environmentName(flag)));
  }
});
