import type { Business } from "../language.js";
import type { Random } from "../random.js";
import { SUFFIXES } from "./words.js";

const STARTS = "b,br,c,d,dr,f,g,gr,h,j,k,l,m,n,p,pr,r,s,st,t,tr,v,w,z,sh,ch".split(",");
const VOWELS = "a,a,e,e,i,o,o,u,ai,ee,oo".split(",");
const ENDS = ",,,,l,n,r,s,m,x,t,nd,ck".split(",");

/** Behind a made-up word, so that no name reads like a company that exists. */
const NOUNS = (
  "Lantern,Kite,Teapot,Ribbon,Kettle,Thimble,Cloud,Compass,Attic,Badger,Clock,Button,Basket,Ladder,Whistle,Anvil,Sparrow," +
  "Mitten,Drawer,Bell,Umbrella,Daisy,Candle,Harp,Rocket,Owl,Anchor,Puddle,Cricket,Turnip,Walrus,Radish,Star,Heron,Acorn," +
  "Pebble,Otter,Comet,Willow,Puffin,Clover,Saffron,Marble,Walnut,Firefly,Hedgehog,Pumpkin,Tulip,Biscuit,Lemon,Cocoa,Bramble"
).split(",");

function word(random: Random, syllables: number, starts: readonly string[] = STARTS): string {
  const parts = Array.from(
    { length: syllables },
    (_, index) => random.pick(index === 0 ? starts : STARTS) + random.pick(VOWELS),
  );
  const text = parts.join("") + random.pick(ENDS);
  return `${text[0]?.toUpperCase()}${text.slice(1)}`;
}

const GROUPS = 5;
const grouped = Array.from({ length: GROUPS }, (_, group) =>
  STARTS.filter((_start, index) => index % GROUPS === group),
);

/** One of millions, so that a model copies it and can't know it by heart. */
export const inventCompanyOfMany = (random: Random, business: Business, nth: number) =>
  `${word(random, 2, grouped[nth % GROUPS])} ${random.pick(NOUNS)} ${random.pick(SUFFIXES[business])}`;

const TITLES = "Uncle,Aunt,Old,Little,Doctor,Sir,Lady,Red,Green,Big".split(",");

/** A name that a system message gives. */
export function inventPersona(random: Random): string {
  const name = random.chance(0.2) ? random.pick(NOUNS) : word(random, random.pick([1, 2, 2, 2, 3]));
  if (random.chance(0.15)) return `${random.pick(TITLES)} ${name}`;
  return random.chance(0.08) ? `${name} ${random.pick(NOUNS)}` : name;
}

const OPENINGS = (
  "Stay,Keep,Remember,Enjoy,Find,Bring,Wish,Dream of,Look for,Share,Always,May you have,Here is,Never lose,Follow,Love,Trust," +
  "Make,Save,Welcome,Send me,Until then,Cherish,Back to,So long,Hope for"
).split(",");
const HOW =
  "warm,bright,happy,lucky,calm,good,sunny,brave,quiet,fine,new,kind,merry,green,golden,simple,lovely,safe".split(
    ",",
  );
const WHAT = (
  "work,days,news,smiles,luck,friends,hearts,dreams,roads,songs,mornings,coffee,wishes,hope,people,weather,summer,journey," +
  "evening,tea,stars,homes,hands,letters,flowers,peace,courage,spirit"
).split(",");
const LAST =
  "today,tomorrow,for you,my friend,and smile,always,with joy,out there,once more,dear reader,this week,tonight".split(
    ",",
  );
const MARKS = [..."..!!?"];

/** Words for the end of an answer. Some of them don't exist, so that the model reads them and can't go on by heart. */
export function inventEnding(random: Random): string {
  const known = [OPENINGS, HOW, WHAT, LAST]
    .filter(() => random.chance(0.55))
    .map((words) => random.pick(words));
  const words = known.map((one) => (random.chance(0.3) ? word(random, random.int(1, 2)).toLowerCase() : one));
  if (words.length === 0 || random.chance(0.2))
    words.push(`${word(random, random.int(1, 2)).toLowerCase()}${random.pick(["", "ing", "s", "ed", "y"])}`);
  const text = words.join(" ");
  return `${text[0]?.toUpperCase()}${text.slice(1)}${random.pick(MARKS)}`;
}
