import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTuple, pickle } from "../../fixtures/checkpoint-writer.js";
import { callOf } from "../../fixtures/gpt.js";
import { ImportError } from "./error.js";
import { Global, Tuple, unpickle, type Value } from "./pickle.js";

const called: Value[][] = [];
const globals = new Map([
  ["torch.float32", new Global("torch.float32")],
  ["torch.Size", new Global("torch.Size", (args) => called.push([...args]))],
]);

function load(bytes: Buffer): Value {
  return unpickle(bytes, { file: "x.pt", globals, persistentLoad: (id) => id });
}

function refuses(opcodes: Buffer | string, message: RegExp): void {
  const bytes = typeof opcodes === "string" ? Buffer.from(opcodes, "latin1") : opcodes;
  assert.throws(
    () => load(bytes),
    (error) => {
      assert(error instanceof ImportError);
      assert.match(error.message, /^x\.pt: data\.pkl, byte \d+: [^\n]+$/);
      assert.match(error.message, message);
      return true;
    },
  );
}

for (const protocol of [2, 3, 4, 5])
  test(`reads plain values, protocol ${protocol}`, () => {
    const value = {
      none: null,
      yes: true,
      no: false,
      int: -5,
      wide: 2 ** 40,
      huge: -(2n ** 80n),
      float: 0.1,
      text: "한국어 \u0000",
      list: [1, [2, []]],
      tuple: new FakeTuple([1, "a"]),
    };
    const read = load(pickle(value, new Map(), protocol));
    const expected = new Map<Value, Value>(Object.entries({ ...value, tuple: new Tuple([1, "a"]) }));
    assert.deepEqual(read, expected);
  });

test("reads the short forms that Python prefers", () => {
  const pairs: [string, Value][] = [
    ["K\xff.", 255],
    ["M\x01\x02.", 0x201],
    ["\x8a\x00.", 0],
    ["\x8a\x01\xff.", -1],
    ["\x8b\x02\x00\x00\x00\x00\x80.", -32768],
    ["\x8c\x02hi.", "hi"],
    ["\x8d\x02\0\0\0\0\0\0\0hi.", "hi"],
    ["C\x01\x07.", Uint8Array.of(7)],
    [").", new Tuple([])],
    ["K\x01K\x02\x86.", new Tuple([1, 2])],
    ["]K\x01a.", [1]],
    ["}K\x01K\x02s.", new Map([[1, 2]])],
    ["\x95\x03\0\0\0\0\0\0\0K\x01\x94h\x00\x86.", new Tuple([1, 1])],
    ["ctorch\nfloat32\n.", globals.get("torch.float32")!],
    ["\x8c\x05torch\x8c\x07float32\x93.", globals.get("torch.float32")!],
  ];
  for (const [opcodes, value] of pairs)
    assert.deepEqual(load(Buffer.from(`\x80\x04${opcodes}`, "latin1")), value);
});

test("shares what the memo shares, also a list within itself", () => {
  const list = load(Buffer.from("\x80\x02]q\x00h\x00a.", "latin1")) as Value[];
  assert.equal(list[0], list);
});

for (const [module, name] of [
  ["os", "system"],
  ["posix", "system"],
  ["builtins", "eval"],
  ["__builtin__", "eval"],
  ["subprocess", "Popen"],
  ["torch", "load"],
  ["torch.hub", "load"],
] as const)
  test(`refuses ${module}.${name} by its name`, () => {
    const attack = callOf(module, name, "touch /tmp/pwned");
    refuses(pickle(attack), new RegExp(`the global "${module}\\.${name}" is refused, nothing was run`));
    refuses(pickle({ model: attack }), /nothing was run/);
    const stacked = `\x80\x04\x8c${String.fromCharCode(module.length)}${module}\x8c${String.fromCharCode(name.length)}${name}\x93.`;
    refuses(stacked, new RegExp(`"${module}\\.${name}"`));
  });

test("says how to save what has a class of its own", () => {
  refuses(
    pickle(callOf("argparse", "Namespace", "")),
    /"argparse\.Namespace" .*plain dict such as vars\(args\)/,
  );
});

test("calls only what may be called, and only with a tuple", () => {
  refuses("ctorch\nfloat32\n)R.", /calling torch\.float32 is refused/);
  refuses("X\x01\0\0\0a)R.", /calling the str "a" is refused/);
  refuses("ctorch\nSize\n]R.", /expected a tuple of arguments for torch\.Size, got a list/);
  assert.deepEqual(called, []);
  load(Buffer.from("ctorch\nSize\n(K\x01tR."));
  assert.deepEqual(called, [[1]]);
});

test("builds nothing but an OrderedDict, whose state it drops", () => {
  assert.deepEqual(load(Buffer.from("}}X\x01\0\0\0aK\x01sb.")), new Map());
  refuses("ctorch\nSize\n}b.", /setting the state of torch\.Size is refused/);
  refuses("}K\x01b.", /setting the state of a dict is refused/);
});

for (const [opcode, name] of Object.entries({
  "\x81": "NEWOBJ",
  i: "INST",
  o: "OBJ",
  "\x82": "EXT1",
  P: "PERSID",
}))
  test(`refuses the opcode ${name}`, () => {
    refuses(`))${opcode}x\ny\n.`, new RegExp(`opcode 0x${opcode.charCodeAt(0).toString(16)} is refused`));
  });

test("a key named __proto__ is a key like any other", () => {
  const read = load(pickle(new Map([["__proto__", { polluted: true }]])));
  assert(read instanceof Map && read.has("__proto__"));
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test("refuses a key that is there twice, and one that can't be a key", () => {
  refuses("}(X\x01\0\0\0aK\x01X\x01\0\0\0aK\x02u.", /key the str "a" is there twice/);
  refuses("}]K\x01s.", /expected a dict's key, got a list/);
});

test("refuses opcodes that don't fit together", () => {
  refuses(".", /the stack is empty/);
  refuses("K\x01K\x01.", /values are left over/);
  refuses("(K\x01.", /values are left over/);
  refuses("t.", /a mark is missing/);
  refuses("K\x01(\x85.", /the stack is empty/);
  refuses("h\x07.", /nothing was stored as 7/);
  refuses("q\x00.", /the stack is empty/);
  refuses("K\x01K\x01a.", /expected a list to append to, got the number 1/);
  refuses("]K\x01K\x01s.", /expected a dict to set items of, got a list/);
  refuses("}(K\x01u.", /a dict's key has no value/);
  refuses("\x80\x06.", /expected protocol 2 to 5, got 6/);
  refuses("K\x01K\x01\x93.", /a global's name is not a str/);
});

test("refuses lengths that run past the end, without allocating them", () => {
  for (const opcodes of [
    "",
    "K",
    "X\xff\xff\xff\x7fa",
    "\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
    "B\xff\xff\xff\xff",
    "cos\nsys",
  ])
    refuses(opcodes, /it ends too early/);
});

test("bounds depth, objects and the size of an int", () => {
  refuses("(".repeat(5000), /nested deeper than 1000/);
  refuses(Buffer.alloc(1_100_000, "}"), /more than 1000000 objects/);
  refuses(Buffer.alloc(4_100_000, "N"), /more than 4000000 opcodes/);
  refuses(`\x8a\xff${"a".repeat(255)}.`, /an int of 255 bytes/);
});

test("escapes what the file puts into a message", () => {
  refuses("cos\x1b[2J\r\nsys\u0085tem\n.", /"os\\u001b\[2J\\u000d\.sys/);
});
