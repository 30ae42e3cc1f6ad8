import assert from "node:assert/strict";
import { test } from "node:test";
import type { PublicError } from "../errors/errors.js";
import { ToolPlaces } from "./tool-places.js";

/** Holds a place until it is let go. */
function hold(places: ToolPlaces, caller: string) {
  let letGo = () => {};
  const held = places.hold(
    caller,
    () =>
      new Promise<void>((resolve) => {
        letGo = resolve;
      }),
  );
  return {
    held,
    letGo: () => {
      letGo();
      return held;
    },
  };
}

const refused = (code: string) => (error: PublicError) => error.code === code && error.retryAfter! >= 1;

test("one caller of several may hold half of the places, and gets them again when they are free", async () => {
  const places = new ToolPlaces({ places: 4, several: () => true });
  const annas = [hold(places, "anna"), hold(places, "anna")];
  await assert.rejects(hold(places, "anna").held, refused("caller_texts_full"));
  const bens = [hold(places, "ben"), hold(places, "ben")];
  await assert.rejects(hold(places, "cleo").held, refused("overloaded"));
  await annas[0]!.letGo();
  const again = hold(places, "anna");
  await Promise.all([...annas, ...bens, again].map(({ letGo }) => letGo()));
});

test("a lone caller may hold all of them, until there is another", async () => {
  let several = false;
  const places = new ToolPlaces({ places: 4, several: () => several });
  const annas = ["anna", "anna", "anna"].map((caller) => hold(places, caller));
  several = true;
  await assert.rejects(hold(places, "anna").held, refused("caller_texts_full"));
  const ben = hold(places, "ben");
  await Promise.all([...annas, ben].map(({ letGo }) => letGo()));
});

test("work that fails gives its place back", async () => {
  const places = new ToolPlaces({ places: 1 });
  await assert.rejects(
    places.hold("anna", () => Promise.reject(new Error("broken"))),
    /broken/,
  );
  assert.equal(await places.hold("anna", async () => 5), 5);
});
