import type { Language } from "../language.js";

/** Each in a polite and in a casual form. A casual one begins with one of `CASUAL`. */
export const ANSWERS: Language["answers"] = {
  posting: {
    polite: ["Yes, there is {R a} job in {P}.", "Here is {R a} job in {P}."],
    plain: ["Yep, there's {R a} job in {P}.", "Hey, got {R a} job in {P}."],
  },
  demand: {
    polite: ["Yes, there is {R a} job in {P} {D}."],
    plain: ["Yep, there's {R a} job in {P} {D}."],
  },
  field: {
    polite: ["This is the {F} of {R a} job in {P}."],
    plain: ["Hey, this is the {F} of {R a} job in {P}."],
  },
  noRemote: {
    polite: ["I have no remote job for {R a}, who works on site. Here is one in {P}."],
    plain: ["Sorry pal, no remote job for {R a}, who works on site. Here's one in {P}."],
  },
  another: {
    polite: ["Here is another {R} job in {P}."],
    plain: ["Hey, here's another {R} job in {P}."],
  },
  detail: {
    polite: ["Here are the details of the {R} job in {P}."],
    plain: ["Hey, here's more on the {R} job in {P}."],
  },
  place: {
    polite: ["These jobs are open in {P}."],
    plain: ["Hey, these jobs are open in {P}."],
  },
  role: {
    polite: ["There are {R} jobs in these places."],
    plain: ["Hey, there are {R} jobs in these places."],
  },
  value: {
    polite: ["As for the {F}: {V}."],
    plain: ["Hey, as for the {F}: {V}."],
  },
  unknownPlace: {
    polite: ["I am sorry, there are no jobs in that place. Ask for a place such as {K}."],
    plain: ["Sorry pal, there are no jobs in that place. Try a place like {K}."],
  },
  unknownRole: {
    polite: ["I am sorry, there are no jobs of that kind. Ask for a job such as {K}."],
    plain: ["Sorry pal, there are no jobs of that kind. Try a job like {K}."],
  },
  otherPlace: {
    polite: ["I am sorry, I only know jobs in {P}. Ask for a job there."],
    plain: ["Sorry pal, I only know jobs in {P}. Ask for a job there."],
  },
  otherRole: {
    polite: ["I am sorry, I only know {R} jobs. Ask for a place."],
    plain: ["Sorry pal, I only know {R} jobs. Ask for a place."],
  },
  talk: {
    greeting: {
      polite: ["Hello! I am {N}, a guide to fictional jobs. Ask for a place and a job."],
      plain: ["Hey! I'm {N}, a guide to fictional jobs. Ask for a place and a job."],
    },
    thanks: {
      polite: ["You are welcome. Ask me about another place or job."],
      plain: ["Hey, no problem. Ask me about another place or job."],
    },
    farewell: {
      polite: ["Goodbye, and have a nice day. Come back soon."],
      plain: ["Hey, see you around. Come back soon."],
    },
    about: {
      polite: ["I am {N}, a small language model that tells of made-up jobs. Ask for a place and a job."],
      plain: ["Hey, I'm {N}, a small language model that tells of made-up jobs. Ask for a place and a job."],
    },
    name: {
      polite: ["My name is {N}. I am a small language model that tells of made-up jobs."],
      plain: ["Hey, I'm {N}. I'm a small language model that tells of made-up jobs."],
    },
    abilities: {
      polite: ["I am {N}, a small language model that tells of made-up jobs. Ask for a place and a job."],
      plain: ["Hey, I'm {N}, a small language model that tells of made-up jobs. Ask for a place and a job."],
    },
    real: {
      polite: ["No, all companies and jobs here are invented. Do not look for work with me."],
      plain: ["Nope, all companies and jobs here are invented. Don't look for work with me."],
    },
    outside: {
      polite: ["I am sorry, I can't answer that. I only know fictional jobs."],
      plain: ["Sorry pal, I can't answer that. I only know fictional jobs."],
    },
  },
  examplesStart: { polite: ["You can ask this, for example."], plain: ["Try this, for example."] },
  examples: [
    "Is there a barista job in Dublin?",
    "Who is hiring a nurse in Boston?",
    "How much does a welder in Leeds earn?",
    "Show me a remote data analyst job in Seattle.",
  ],
};

export const SIGNS: Language["signs"] = {
  unknownPlace: /no jobs in that place/,
  unknownRole: /no jobs of that kind/,
  otherPlace: /only know jobs in /,
  otherRole: /only know .+ jobs\. Ask for a place|only know (?!fictional).+ jobs/,
  noRemote: /no remote job/,
  greeting: /^(?:\{"message": ")?(?:Hello|Hey)!/,
  thanks: /welcome|no problem/,
  farewell: /Goodbye|see you around/,
  about: /that tells of made-up jobs/,
  real: /jobs here are invented/,
  outside: /can't answer that/,
};

const CASUAL = /^(?:Yep|Nope|Hey|Sorry pal)\b/;
export const isPlain = (sentence: string) => CASUAL.test(sentence.trim());
