import assert from "node:assert/strict";
import { test } from "node:test";
import { PARTICLES, withParticle } from "./particles.js";
import { PLACES, UNKNOWN_PLACES } from "./places.js";
import { ROLES, UNKNOWN_ROLES } from "./roles.js";

test("a particle follows the last syllable: consonant or vowel", () => {
  assert.equal(withParticle("백엔드 개발자", "을"), "백엔드 개발자를");
  assert.equal(withParticle("현장 소장", "을"), "현장 소장을");
  assert.equal(withParticle("간호사", "이"), "간호사가");
  assert.equal(withParticle("경비원", "이"), "경비원이");
  assert.equal(withParticle("서울", "은"), "서울은");
  assert.equal(withParticle("판교", "과"), "판교와");
});

test("으로 becomes 로 after a vowel and after ㄹ", () => {
  assert.equal(withParticle("간호사", "으로"), "간호사로");
  assert.equal(withParticle("서울", "으로"), "서울로");
  assert.equal(withParticle("경비원", "으로"), "경비원으로");
});

test("a Latin word takes the particle of its reading", () => {
  assert.equal(withParticle("React", "을"), "React를");
  assert.equal(withParticle("Excel", "을"), "Excel을");
  assert.equal(withParticle("Kotlin", "이"), "Kotlin이");
  assert.equal(withParticle("C++", "이"), "C++가");
});

test("a word that can't be read is refused", () => {
  assert.throws(
    () => withParticle("xyzzy", "을"),
    /expected a word that ends in Hangul or has a reading, got "xyzzy"/,
  );
  assert.throws(() => withParticle("", "을"), RangeError);
});

test("every place, role and skill can take every particle", () => {
  const words = [
    ...PLACES,
    ...UNKNOWN_PLACES,
    ...UNKNOWN_ROLES,
    ...ROLES.flatMap((role) => [role.name, ...role.aliases, ...role.skills]),
  ];
  for (const word of words) for (const particle of PARTICLES) withParticle(word, particle);
});
