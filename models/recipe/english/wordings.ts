import type { AskedField, DemandKind, Wordings } from "../language.js";

const ARE_THERE = "(are there|are there any|do you have|do you have any|do you know|can you find|any)";
const SHOW =
  "(show me|find me|give me|tell me about|I'm looking for|I need|I want|list|please find|please show me)";
const JOBS = "(jobs|openings|positions|vacancies|postings|job offers)";
const JOB = "(job|opening|position|vacancy|posting|job offer)";
const IN = "(in|in|in|near|around)";
const HIRING = "(hiring|looking for|seeking|recruiting)";
const END = "(|?|?|.)";

/** A place and a role. */
export const ASK: Wordings = {
  train: [
    `${ARE_THERE} {R} ${JOBS} ${IN} {P}${END}`,
    `${SHOW} {R a} ${JOB} ${IN} {P}${END}`,
    `${SHOW} {R} ${JOBS} ${IN} {P}${END}`,
    `(who is|who's|is anyone|is anybody|which company is) ${HIRING} {R a} ${IN} {P}${END}`,
    `(who is|who's|is anyone|which companies are) ${HIRING} {R s} ${IN} {P}${END}`,
    `{R} ${JOBS} ${IN} {P}${END}`,
    `{R} ${JOB} {P}`,
    `{P} {R}`,
    `{R}, {P}`,
    `{R} in {P}`,
    `{P} {R} ${JOBS}${END}`,
    `I am {R a} (and|and I) (live in|looking for work in|want to work in|need a job in) {P}(.|)`,
    `I'm {R a} in {P}(.|,) (any jobs for me|what can I do|where can I work|do you have something)?`,
    `I (want|would like|hope) to work as {R a} in {P}(.|)`,
    `(can I|could I|where can I) (work|get a job|find work) as {R a} in {P}?`,
    `(hello|hi|hey)(,|!) ${ARE_THERE} {R} ${JOBS} in {P}?`,
    `is there {R a} ${JOB} ${IN} {P}?`,
    `does anyone (need|want|hire) {R a} ${IN} {P}?`,
    `(my brother|my sister|a friend|my wife|my husband) is {R a} in {P}. (Any jobs|Anything|What is there)?`,
    `how (do|can) I (apply|become hired|get hired) as {R a} in {P}?`,
  ],
  dev: ["Which firm around {P} has room for {R a}?", "Moving to {P} soon. Something for {R a}, please."],
  heldOut: [
    "Could you point me to somebody in {P} who takes on {R s}?",
    "My cousin works as {R a} and dreams of {P}. Got something suitable?",
    "I'd love to start as {R a} somewhere in {P}",
    "What's out there in {P} for an aspiring {R}?",
    "Do any employers from {P} still lack {R a}?",
    "Browse {P} and pick me one {R} vacancy",
  ],
};

/** Words for {D}, behind the job. */
export const DEMANDS: Readonly<Record<DemandKind, { asked: Wordings; said: string; saidAnd: string }>> = {
  remote: {
    asked: {
      train: [
        "(with|with some|that offers|that allows|that has) (remote work|home office)",
        "(that I can do|which I can do|to do) (from home|remotely)",
        "(where|in which) I can work (from home|remotely)",
        "(that is|that's) remote",
        "(without going to|with no) (the office|an office|commuting)",
      ],
      dev: ["that lets me stay at home"],
      heldOut: ["done from my living room", "that spares me the commute", "with a work from home option"],
    },
    said: "with remote work",
    saidAnd: "with remote work,",
  },
  newcomer: {
    asked: {
      train: [
        "(for|open to|that takes|that accepts) (newcomers|beginners|new graduates|people without experience)",
        "(without|with no|that needs no|not asking for) experience",
        "(at entry level|for a beginner|for a newcomer)",
        "(where|in which) no experience is needed",
      ],
      dev: ["for someone fresh out of school"],
      heldOut: ["where a total novice is welcome", "that gives first-timers a chance"],
    },
    said: "open to newcomers",
    saidAnd: "open to newcomers,",
  },
  permanent: {
    asked: {
      train: [
        "(with a permanent contract|that is permanent|that's permanent|as a permanent job|on a permanent basis)",
        "(that is|that's) not (temporary|a temporary job)",
      ],
      dev: ["with a contract that doesn't end"],
      heldOut: ["offering permanent employment", "with a permanent position guaranteed"],
    },
    said: "with a permanent contract",
    saidAnd: "with a permanent contract,",
  },
  skill: {
    asked: {
      train: [
        "(that uses|using|that needs|that asks for|with|where I can use|that values) {S}",
        "(for someone|for people) (good at|with|who knows|skilled in) {S}",
      ],
      dev: ["in which {S} counts"],
      heldOut: ["that puts my {S} to use", "where {S} matters a lot"],
    },
    said: "that asks for {S}",
    saidAnd: "that asks for {S},",
  },
  pay: {
    asked: {
      train: [
        "(that pays|paying|with|for) (at least|more than|over|no less than) {A}",
        "(with pay|with a salary|with wages) (from|above|of at least|over) {A}",
        "(from|above) {A}",
      ],
      dev: ["earning me {A} or better"],
      heldOut: ["that brings in {A} or more", "with a minimum of {A}"],
    },
    said: "paying at least {A}",
    saidAnd: "paying at least {A},",
  },
  deadline: {
    asked: {
      train: [
        "(that closes|closing|that ends|ending) in {M}",
        "(with|that has) a (deadline|closing date) in {M}",
        "(open until|until) {M}",
      ],
      dev: ["whose last day falls in {M}"],
      heldOut: ["taking applications until some day in {M}", "whose deadline is in {M}"],
    },
    said: "closing in {M}",
    saidAnd: "closing in {M},",
  },
};

/** A place, a role and demands. */
export const ASK_DEMAND: Wordings = {
  train: [
    `${ARE_THERE} {R} ${JOBS} ${IN} {P} {D}${END}`,
    `${SHOW} {R a} ${JOB} ${IN} {P} {D}${END}`,
    `is there {R a} ${JOB} ${IN} {P} {D}?`,
    `{R a} ${JOB} {D} ${IN} {P}${END}`,
    `{R} ${JOB} ${IN} {P} {D}`,
    `I am {R a} in {P} and (want|need|would like) a ${JOB} {D}(.|)`,
    `I want to work as {R a} in {P}, {D}(.|)`,
    `(in|near) {P}, (is there|do you have|I need) {R a} ${JOB} {D}${END}`,
    `{P}: {R}, a ${JOB} {D}`,
  ],
  dev: ["For {R a} from {P}: what is there {D}?"],
  heldOut: [
    "Pick me something in {P} for {R a}, {D} if possible",
    "Would you know of work for {R a} {D}, somewhere in {P}?",
    "I'm after {R a} role {D}. The place is {P}.",
  ],
};

export const ASK_WHETHER: Readonly<Partial<Record<DemandKind, Wordings>>> = {
  remote: {
    train: [
      "(can|could) {R a} in {P} work (from home|remotely)?",
      "(is|are there) remote {R} (work|jobs|positions) in {P}?",
      `remote {R} ${JOBS} in {P}`,
    ],
    dev: ["In {P}, may {R s} stay at home to work?"],
    heldOut: ["Does anyone in {P} let {R s} work from home?", "Is a remote {R} wanted anywhere in {P}?"],
  },
  newcomer: {
    train: [
      "(can I|could I) (start|work|begin) as {R a} in {P} without experience?",
      `(entry level|junior|beginner) {R} ${JOBS} in {P}${END}`,
      "I have no experience. (Can I|Could I) be {R a} in {P}?",
    ],
    dev: ["I never worked before; would {P} take me as {R a}?"],
    heldOut: ["Will somebody in {P} teach a rookie {R}?", "Just graduated: who in {P} takes junior {R s}?"],
  },
  permanent: {
    train: [`permanent {R} ${JOBS} in {P}${END}`, "(is there|do you have) a permanent {R} job in {P}?"],
    dev: ["Would {P} hire {R a} for good?"],
    heldOut: ["Does {P} have permanent openings for {R s}?"],
  },
  skill: {
    train: [
      "I am {R a} (with|good at|who knows) {S}. (Any jobs|Anything|Is there work) in {P}?",
      `{S} {R} ${JOBS} in {P}${END}`,
    ],
    dev: ["Who in {P} could use {R a} with plenty of {S}?"],
    heldOut: ["As {R a} I'm strong in {S}. Does {P} have a match?"],
  },
};

export const ASK_FIELD: Readonly<Record<AskedField, Wordings>> = {
  duty: {
    train: [
      "what (does|would) {R a} (in|at a company in) {P} do?",
      "what (are the tasks|are the duties|is the work) of {R a} in {P}?",
      "what would I do as {R a} in {P}?",
    ],
    dev: ["What keeps {R a} in {P} busy?"],
    heldOut: ["Describe what {R a} hired in {P} spends the day on"],
  },
  skills: {
    train: [
      "(what|which) skills (does|would) {R a} in {P} need?",
      "what do I need (to know|to be able to do|to learn) to be {R a} in {P}?",
      "(which|what) (skills|requirements) (are there|do they have) for {R a} in {P}?",
    ],
    dev: ["What must {R a} be good at in {P}?"],
    heldOut: ["Which abilities do employers in {P} expect from {R a}?"],
  },
  contract: {
    train: [
      "(is|would) {R a} job in {P} (be|) (permanent or temporary|temporary or permanent)?",
      "what (kind of contract|contract) does {R a} in {P} get?",
    ],
    dev: ["What sort of contract do {R s} sign in {P}?"],
    heldOut: ["Under which type of contract would {P} employ {R a}?"],
  },
  experience: {
    train: [
      "how (much|many years of) experience does {R a} in {P} need?",
      "(what|how much) experience (do they want|is needed|is required) for {R a} in {P}?",
    ],
    dev: ["For how long must {R a} in {P} have worked before?"],
    heldOut: ["How seasoned must {R a} be to get hired in {P}?"],
  },
  pay: {
    train: [
      "(how much|what) does {R a} in {P} (earn|make|get paid|get)?",
      "what (is|'s) the (pay|salary|wage) (of|for) {R a} in {P}?",
      `{R} (pay|salary|wages) in {P}${END}`,
      "how much would I (earn|make|get) as {R a} in {P}?",
      "how well do {R s} in {P} get paid?",
    ],
    dev: ["What money is in it for {R a} in {P}?"],
    heldOut: ["Roughly what could {R a} take home in {P}?"],
  },
  work: {
    train: [
      "(what|how) are the (hours|working hours) (of|for) {R a} in {P}?",
      "how many days (a week|per week) does {R a} in {P} work?",
      "(when|how) would I work as {R a} in {P}?",
    ],
    dev: ["What does the week of {R a} in {P} look like?"],
    heldOut: ["Tell me the work schedule of {R a} in {P}"],
  },
  deadline: {
    train: [
      "(when|until when) (can|must|should) I apply (for|to be) {R a} (job |)in {P}?",
      "what is the (deadline|closing date|last day) for {R a} job in {P}?",
      "when does the {R} job in {P} close?",
    ],
    dev: ["By which date do {R s} in {P} have to write?"],
    heldOut: ["How long does the {R} vacancy in {P} stay open?"],
  },
};

export const ASK_PLACE: Wordings = {
  train: [
    `${ARE_THERE} ${JOBS} ${IN} {P}${END}`,
    `${SHOW} ${JOBS} ${IN} {P}${END}`,
    `(who|which companies) (is|are) hiring ${IN} {P}${END}`,
    `${JOBS} ${IN} {P}${END}`,
    `what (jobs|work|openings) (is there|are there|can I find|do you have) ${IN} {P}?`,
    `I live in {P}(.|,) (what can I do|where can I work|any jobs)?`,
    `I (want|would like) to work in {P}(.|)`,
    `{P} ${JOBS}`,
    `{P}${END}`,
    `what about {P}?`,
  ],
  dev: ["Which kinds of people does {P} need?"],
  heldOut: [
    "I'm about to move to {P}. What sort of work might I find?",
    "Give me an overview of what {P} offers",
  ],
};

export const ASK_ROLE: Wordings = {
  train: [
    `${ARE_THERE} {R} ${JOBS}${END}`,
    `${SHOW} {R a} ${JOB}${END}`,
    `where (can I|could I) work as {R a}?`,
    `where (are there|do you have|can I find) {R} ${JOBS}?`,
    `(who|where|which city) (is hiring|needs|wants) {R s}?`,
    `(who|which company) (is hiring|needs|wants) {R a}?`,
    `I am {R a}(.|,) (any jobs|where can I work|what do you have)?`,
    `I (want|would like) to (work as|be|become) {R a}(.|)`,
    `{R} ${JOBS}${END}`,
    `{R}${END}`,
    `{R s}${END}`,
  ],
  dev: ["In what cities are {R s} wanted?"],
  heldOut: ["Whereabouts might {R a} find employment?", "Name me some towns that lack {R s}"],
};

const GIVE = "(show|give|list|write|return|output|print)";
export const ASK_JSON: Wordings = {
  train: [
    `${GIVE} {K} of {R a} ${JOB} in {P} (as|in) JSON(.|)`,
    `{R} ${JOB} in {P}: {K} (as|in) JSON(.|)`,
    `JSON with {K} (of|for) {R a} ${JOB} in {P}(.|)`,
    `find {R a} ${JOB} in {P}. (Only|Just|Give me) {K} as JSON.`,
  ],
  dev: ["One {R} opening from {P}, as a JSON object holding {K}"],
  heldOut: ["I need {K} for {R a} role in {P}, formatted as a JSON object"],
};
export const ASK_JSON_WHOLE: Wordings = {
  train: [
    `${GIVE} {R a} ${JOB} in {P} (as|in) JSON(.|)`,
    `{R} ${JOB} in {P} (as|in) JSON(.|)`,
    `JSON (of|for) {R a} ${JOB} in {P}(.|)`,
  ],
  dev: ["One {R} opening from {P}, as a JSON object"],
  heldOut: ["Hand me some {R} role in {P} as machine-readable JSON"],
};
