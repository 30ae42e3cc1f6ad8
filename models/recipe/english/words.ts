import type { Business } from "../language.js";
import type { Random } from "../random.js";

export const PLACES = (
  "New York,Boston,Chicago,Seattle,Portland,Denver,Austin,Dallas,Houston,Atlanta,Miami,Orlando,Phoenix,San Diego," +
  "Los Angeles,San Francisco,Oakland,Sacramento,Las Vegas,Detroit,Cleveland,Pittsburgh,Philadelphia,Baltimore,Nashville," +
  "Memphis,New Orleans,Toronto,Vancouver,Montreal,Calgary,Ottawa,London,Bristol,Leeds,Manchester,Liverpool,Glasgow," +
  "Edinburgh,Cardiff,Belfast,Dublin,Cork,Galway,Sydney,Melbourne,Brisbane,Perth,Auckland,Wellington"
).split(",");

export const PLACE_ALIASES: Readonly<Record<string, readonly string[]>> = {
  "New York": ["NYC", "New York City"],
  "Los Angeles": ["LA", "L.A."],
  "San Francisco": ["SF"],
  Philadelphia: ["Philly"],
  "Las Vegas": ["Vegas"],
};

export const UNKNOWN_PLACES = (
  "Atlantis,the Moon,Mars,Tokyo,Beijing,Paris,Berlin,Rome,Madrid,Moscow,Cairo,the North Pole,Antarctica,Narnia,Seoul,Oslo," +
  "Jupiter,Hawaii,Iceland,Bangkok,Delhi,Dubai,Athens,Vienna,Wonderland,the ocean floor"
).split(",");

const NAMES = (
  "Acorn Lantern,Pebble Kite,Maple Teapot,Otter Ribbon,Comet Kettle,Willow Thimble,Puffin Cloud,Meadow Compass,Raindrop Attic," +
  "Velvet Badger,Clover Clock,Harbor Button,Moonbeam Basket,Saffron Ladder,Juniper Whistle,Feather Anvil,Marble Sparrow," +
  "Walnut Mitten,Firefly Drawer,Snowberry Bell,Hedgehog Umbrella,Copper Daisy,Driftwood Candle,Pumpkin Harp,Tulip Rocket," +
  "Biscuit Owl,Lemon Anchor,Sunny Puddle,Velvet Cricket,Purple Turnip,Paper Walrus,Silver Radish,Bramble Star,Cocoa Heron"
).split(",");

export const SUFFIXES: Readonly<Record<Business, readonly string[]>> = {
  software: ["Labs", "Software", "Systems"],
  design: ["Studio", "Design", "Workshop"],
  office: ["Partners", "Company", "Group"],
  health: ["Clinic", "Care", "Health"],
  food: ["Kitchen", "Foods", "Table"],
  logistics: ["Logistics", "Freight", "Transport"],
  education: ["School", "Academy", "Learning"],
  factory: ["Works", "Industries", "Manufacturing"],
  shop: ["Store", "Lounge", "Market"],
  building: ["Builders", "Homes", "Construction"],
};

/** Fanciful on purpose: none is meant to be a company that exists, and answers mark each one as fictional. */
export const inventCompany = (random: Random, business: Business) =>
  `${random.pick(NAMES)} ${random.pick(SUFFIXES[business])}`;

const NOISE = (
  "just really actually maybe please now today quickly honestly somehow soon still again also kindly perhaps probably lately " +
  "currently finally basically simply well so okay hmm hey look right anyway tomorrow somewhere nearby around here there my " +
  "our their sister brother friend wife husband cousin neighbor heard read saw told wondering thinking hoping moving new old " +
  "good great nice decent quiet small big local possible available suitable steady serious curious news info options details " +
  "something anything everything someone since because while before after during if though since summer winter spring fall"
).split(" ");
const LETTERS = [..."abcdefghilmnoprstuvw"];

function strangeWord(random: Random): string {
  if (random.chance(0.75)) return random.pick(NOISE);
  return Array.from({ length: random.int(2, 7) }, () => random.pick(LETTERS)).join("");
}

/** Inserts one to three irrelevant words, and with `replace` puts some in place of words that aren't slots. */
export function disturb(template: string, random: Random, replace: boolean): string {
  // A slot may hold a blank.
  const words = template
    .split(/ (?![^{}]*\})/)
    .map((word) => (replace && !word.includes("{") && random.chance(0.4) ? strangeWord(random) : word));
  for (let i = random.int(1, 3); i > 0; i--)
    words.splice(random.int(0, words.length), 0, strangeWord(random));
  return words.join(" ");
}
