import assert from "node:assert/strict";
import { test } from "node:test";
import { compileChatTemplate } from "../chat-template.js";
import { globals } from "./globals.js";

const render = (source: string) => compileChatTemplate(source).render([{ role: "user", content: "x" }]);

test("dates are written as Python's strftime does in the C locale, whatever the machine's language", () => {
  const { strftime_now } = globals({ spend: () => {} }, () => new Date(2024, 6, 6, 15, 4, 5)) as {
    strftime_now: (format: string) => string;
  };
  assert.equal(strftime_now("%d %b %Y"), "06 Jul 2024");
  assert.equal(strftime_now("%A %a %B %-d %y %m %j"), "Saturday Sat July 6 24 07 188");
  assert.equal(strftime_now("%H:%M:%S %I %p 100%% %Q %"), "15:04:05 03 PM 100% %Q %");
});

test("range counts as Python's", () => {
  assert.equal(
    render("{{ range(3) }}{{ range(1, 8, 3) }}{{ range(3, 0, -1) }}{{ range(5, 2) }}"),
    "[0, 1, 2][1, 4, 7][3, 2, 1][]",
  );
  for (const wrong of ["'0.', 1, 1", "0, 1, 0.1", "1, 2, 3, 4", "", "1, 2, 0"])
    assert.throws(() => render(`{{ range(${wrong}) }}`), /range: expected/);
});

test("strip takes off the characters that it is given", () => {
  assert.equal(
    render(
      "{{ ' \\n a \\n '.strip() }}|{{ '\\n\\n a\\n'.strip('\\n') }}|{{ 'xxaxx'.lstrip('x') }}|{{ 'xxayx'.rstrip('xy') }}",
    ),
    "a| a|axx|xxa",
  );
});

test("the first of an empty list is nothing, as in Jinja", () => {
  assert.equal(
    render("a{{ [] | first }}b{{ messages | selectattr('role', 'equalto', 'system') | list | last }}c"),
    "abc",
  );
});

test("tools and documents are none, as Transformers gives them", () => {
  assert.equal(
    render("{{ tools is none }}{{ documents is none }}{{ sep_token is defined }}"),
    "truetruefalse",
  );
});
