import type { AskedField, Language, Wordings } from "../language.js";

const THEN = "(|and|and|so|okay, and|then)";
const THERE = "(|there|at that company|in that job|with them)";
const SHOW = "(show me|find me|give me|I want|I need|please show|look for)";

const FIELDS: Readonly<Record<AskedField, Wordings>> = {
  duty: {
    train: [
      `what (would I do|is the work|are the tasks|are the duties) ${THERE}?`,
      "what does (the job|that job|one|a person) (involve|do there)?",
    ],
    dev: ["what is my work going to be?"],
    heldOut: ["what would keep me busy in that role?"],
  },
  skills: {
    train: [
      `(what|which) skills (do I need|are needed|do they want|are required) ${THERE}?`,
      "what (must|should) I (know|be good at|be able to do)?",
    ],
    dev: ["what must I bring along?"],
    heldOut: ["which abilities are they after?"],
  },
  contract: {
    train: [
      "is (it|this|that|the job) (permanent|temporary)?",
      "what (contract|kind of contract) (is it|do I get)?",
    ],
    dev: ["would I have it for good?"],
    heldOut: ["what type of contract comes with that?"],
  },
  experience: {
    train: [
      "(how much|what) experience (do I need|is needed|do they want)?",
      "(do I need|is there a need for|do they want) experience?",
      "do they take (newcomers|beginners)?",
    ],
    dev: ["for how long must I have done this before?"],
    heldOut: ["how many years under my belt do they ask for?"],
  },
  pay: {
    train: [
      `(how much|what) (does it pay|do they pay|would I earn|would I get|is the pay) ${THERE}?`,
      "(what is|what's) the (salary|pay|wage)?",
      "(how is|how about) the (salary|pay|money)?",
    ],
    dev: ["what do I get for it?"],
    heldOut: ["what would I take home in that job?"],
  },
  work: {
    train: [
      "what are the (hours|working hours|days)?",
      "(can I|could I|may I|is it possible to) work (from home|remotely)?",
      `how many days (a week|do I work|per week) ${THERE}?`,
    ],
    dev: ["must I come in every day?"],
    heldOut: ["what does the weekly schedule look like?"],
  },
  deadline: {
    train: [
      "(when|until when) (can|must|should) I apply?",
      "(what is|what's|when is) the (deadline|closing date|last day)?",
      "when does (it|the job|the posting) close?",
    ],
    dev: ["how much time do I have to write to them?"],
    heldOut: ["how long can I still hand in my papers?"],
  },
};

export const FOLLOW: Language["follow"] = {
  place: {
    train: [
      `${THEN} (in|what about|how about|what about in) {P}?`,
      `(anything|something|one|any) in {P}?`,
      `{P}?`,
      `${SHOW} (the same|one|that|the same job) in {P}(.|)`,
      "(I live in|I am in|actually, I'm from|I'd rather work in) {P}(.|. Anything there?)",
      "(and|what) if I (move|moved|go) to {P}?",
      "(change|make) (it|that|the place) to {P}(.|)",
    ],
    dev: ["hmm, would {P} have one as well?"],
    heldOut: ["suppose I search {P} instead, what comes up?", "same thing, but {P} this time"],
  },
  role: {
    train: [
      `${THEN} (what about|how about|for) {R a}?`,
      "(do they|do they also|does anyone there) (need|want|hire) {R s}?",
      "(any|and any|are there any) {R s}?",
      `${SHOW} {R a} job (there|instead|in the same place|)(.|)`,
      "(I am|actually, I'm|my friend is) {R a}(.|. Anything there?)",
      "{R}?",
      "(and|what) if I (am|were|work as) {R a}?",
    ],
    dev: ["hmm, would they have one for {R a} as well?"],
    heldOut: ["suppose I were {R a} instead, what comes up?", "same place, but {R} this time"],
  },
  demand: {
    train: [
      "(is there|do you have|anything|any|what about) (one|a job|something) {D}?",
      `${SHOW} one {D}(.|)`,
      "(I'd like|I prefer|it should be|I want) (one|a job|something) {D}(.|)",
      "only {D}, please",
    ],
    dev: ["better one {D}"],
    heldOut: ["I forgot to say: it has to be a job {D}", "would there be one {D} too?"],
  },
  field: {
    train: [
      "(what is|what's|what was|and) the {F}?",
      "(tell me|show me|remind me of|and) the {F}(.|)",
      "{F}?",
      "the {F} (of that job|of the job|there), please",
    ],
    dev: ["that {F}, how is it?"],
    heldOut: ["say once more what the {F} was", "I'm curious about the {F}"],
  },
  fields: FIELDS,
  another: {
    train: [
      "(another one|one more|any other|others|more|a different one|something else)(|?|, please|.)",
      "(is there|do you have|show me|give me) (another one|one more|another company|a different one)(|?|.)",
      "(what else|who else) (is there|do you have|is hiring)?",
      "not (that|this) one(.|,) (another|show another|something else)(.|)",
    ],
    dev: ["anywhere else but there?"],
    heldOut: ["I don't like that company. An alternative?", "offer me a second option"],
  },
  nth: {
    train: [
      "(tell me more about|show me|more about|details of|I like|open) the {N} (one|job|company)(.|)",
      "the {N} (one|job)(|, please|.|?)",
      "what (about|is) the {N} (one|job)?",
    ],
    dev: ["let us take the {N}, what is it like?"],
    heldOut: ["I'm drawn to the {N} entry, please elaborate"],
  },
  json: {
    train: [
      "(give me|show me|write|print|return) (only|) {K} (as|in) JSON(.|)",
      "{K} (as|in) JSON(.|, please)",
      "(that|the job|this posting) (as|in) JSON with (only|) {K}(.|)",
      "JSON with (only|just|) {K}(.|)",
    ],
    dev: ["from that one take {K} into a JSON object"],
    heldOut: ["convert the above to a JSON object holding {K}"],
  },
  jsonWhole: {
    train: [
      "(give me|show me|write|print|return) (that|it|the job|this posting) (as|in) JSON(.|)",
      "(as|in) JSON(.|, please)",
      "JSON, please",
      "(that|the job|this posting) (as|in) JSON(.|)",
    ],
    dev: ["put that into a JSON object"],
    heldOut: ["convert the above to machine-readable JSON"],
  },
};

export const ORDINALS = ["first", "second", "third"];
