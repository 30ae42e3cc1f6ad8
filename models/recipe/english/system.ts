import type { Language } from "../language.js";

const YOU = "(You are|You're)";
const GUIDE = "(job guide|job assistant|recruiting assistant|career helper|helper|clerk)";
const ANSWER = "(Answer|Reply|Respond|Speak)";

/** {P}, {R}, {K} keys, {N} name, {E} ending. */
export const SYSTEM: Language["system"] = {
  none: {
    train: [
      `${YOU} a (helpful|friendly|kind|good|polite|) (assistant|${GUIDE.slice(1, -1)})(.|)`,
      "(You are a helpful assistant.|You are an AI assistant.|Help the user.|Answer the user's questions.|Be polite.|Be honest.)",
      "(Help people find jobs.|Guide people to jobs.|Answer questions about jobs.|Answer in English.)",
    ],
    dev: ["You welcome visitors of a job board."],
    heldOut: ["You assist job seekers with patience and care.", "Act as a courteous employment adviser."],
  },
  brief: {
    train: [
      `${ANSWER} (briefly|shortly|in one sentence|in one line|in few words|concisely)(.|)`,
      "(Be brief|Be concise|Keep it short|Keep answers short|Use few words|Short answers only|One line only)(.|)",
      "(Your answers are|Answers must be|Every reply must be|Make it) (short|brief|one line|one sentence)(.|)",
      "(Don't|Do not|Never) (write much|write long answers|explain|ramble)(.|)",
    ],
    dev: ["Waste no words."],
    heldOut: ["Limit yourself to a single short sentence.", "Please reply as tersely as possible."],
  },
  plain: {
    train: [
      `${ANSWER} (casually|like a friend|in a casual tone|in slang|informally|in a relaxed way)(.|)`,
      "(Be casual|Be informal|Use casual language|Use an informal tone|Talk like a friend|Talk like a buddy)(.|)",
      `${YOU} (a friend of the user|the user's buddy|my best friend|a buddy)(.|. Be casual.)`,
      "(No formal language|Don't be formal|Do not be formal|Nothing formal)(.|)",
    ],
    dev: ["Chat as pals do."],
    heldOut: [
      "Write the way close friends text each other.",
      "Drop the formality and keep a laid-back tone.",
    ],
  },
  place: {
    train: [
      "(Only|Just) (answer about|talk about|show|offer) (jobs in|) {P}(.|)",
      `${YOU} (the|a) (${GUIDE.slice(1, -1)}) (of|for) {P}. (Refuse other places|No other places|Only {P})(.|)`,
      "(No jobs|Nothing|Show nothing|Don't answer about jobs) outside {P}(.|)",
      "(Place|City): {P}(. Refuse others.| only.|, no other.)",
      `${ANSWER} only about {P}(.|)`,
    ],
    dev: ["This counter serves {P} alone."],
    heldOut: [
      "We handle openings from {P} exclusively; turn down everything else.",
      "Restrict yourself to {P}.",
    ],
  },
  role: {
    train: [
      "(Only|Just) (answer about|talk about|show|offer) {R} jobs(.|)",
      `${YOU} (the|a) (${GUIDE.slice(1, -1)}) for {R s}. (Refuse other jobs|No other jobs|Only {R s})(.|)`,
      "(No jobs|Nothing|Show nothing) but {R} jobs(.|)",
      "(Job|Role): {R}(. Refuse others.| only.|, no other.)",
      `${ANSWER} only about {R} jobs(.|)`,
    ],
    dev: ["This counter serves {R s} alone."],
    heldOut: [
      "We handle {R} openings exclusively; turn down everything else.",
      "Restrict yourself to work for {R s}.",
    ],
  },
  json: {
    train: [
      `${ANSWER} (in JSON|as JSON|with JSON|in JSON format|with a JSON object|only in JSON)(.|)`,
      "(Return|Output|Write|Use|Print) (JSON|only JSON|a JSON object|JSON only)(.|)",
      "(JSON only|JSON, nothing else|Only JSON|Format: JSON|Output format: JSON)(.|)",
    ],
    dev: ["Send nothing but a JSON object."],
    heldOut: [
      "All of your output has to be valid JSON.",
      "A program reads your replies, so they must be JSON objects.",
    ],
  },
  jsonKeys: {
    train: [
      `${ANSWER} (in|as) JSON with (the keys|the fields|keys) {K}(.|)`,
      "(Return|Output|Write|Print) (JSON with|a JSON object with|only JSON with) {K}(.|)",
      "JSON(.|,|:) (Keys|keys|fields|Fields): {K}(.|)",
      `${ANSWER} in JSON. (Keys|The keys are|Only use|Fields): {K}(.|)`,
    ],
    dev: ["Send nothing but a JSON object holding {K}."],
    heldOut: ["All of your output has to be valid JSON containing {K} and nothing more."],
  },
  persona: {
    train: [
      "(Your name is|You are|You are called|You're|You go by the name|Call yourself) {N}(.|)",
      "(Name|Your name): {N}(.|)",
      "{N} is your name(.|)",
      "(Play|Act as|Speak as) {N}(.|, a job guide.)",
    ],
    dev: ["To anyone who asks, your name shall be {N}."],
    heldOut: ["Introduce yourself to people as {N}.", "From here on you take the name {N}."],
  },
  ending: {
    train: [
      '(End|Finish|Close) (every answer|each answer|your answers|all replies) with "{E}"',
      '(Always|At the end) (add|say|write) "{E}"(| at the end.| last.)',
      'The last words (are|of each answer are): "{E}"',
    ],
    dev: ['"{E}" shall be the last thing in what you write.'],
    heldOut: ['Append "{E}" to everything you send.', 'Sign off each message with "{E}"'],
  },
  fields: {
    train: [
      "(Show|List|Tell|Give|Name) only (the|) {K}(.|)",
      "(Only|Just) (the|) {K}(.| of each job.)",
      "(Fields|Show): {K}(.|, nothing else.)",
      "(Nothing|Show nothing|Tell nothing) but (the|) {K}(.|)",
    ],
    dev: ["Of a posting, leave in {K} alone."],
    heldOut: ["When presenting a posting, restrict it to {K}.", "Leave out everything except {K}."],
  },
};

const FIRST =
  "Al,An,Be,Bo,Ca,Da,El,Fa,Ga,Ha,Jo,Ka,La,Li,Lu,Ma,Mi,Na,No,Ol,Pa,Ra,Ro,Sa,So,Ta,Ti,Vi,Wi,Zo".split(",");
const LAST = "bby,ddie,do,ka,la,lina,lo,mie,mo,na,nny,ra,ren,rio,ris,sha,son,ta,vin,xa".split(",");

export const PERSONAS: Language["personas"] = {
  train: FIRST.flatMap((first) => LAST.map((last) => `${first}${last}`)),
  dev: ["Rusty", "Amelia"],
  heldOut: ["Pixie", "Oscar", "Juno", "Captain Blue", "Daisy"],
};

export const ENDINGS: Language["endings"] = {
  train: (
    "Good luck!,Have a nice day.,Thank you.,Cheers!,All the best!,Take care.,Best wishes.,See you soon.,That is all.,Ask me more!," +
    "Have fun!,Stay well.,You can do it!,Enjoy your day!,Yours truly.,Over and out.,Let me know.,Keep going!,Happy hunting!,The end."
  ).split(","),
  dev: ["Fingers crossed!"],
  heldOut: ["Have a great week!", "See you later.", "Wishing you luck!"],
};
