import type { More } from "../more.js";

const JOB = "(job|opening|position|vacancy|posting|role|place to work|offer)";
const JOBS = "(jobs|openings|positions|vacancies|work|roles)";
const FIND = "(find|get me|pull up|search for|suggest|recommend|dig up|check for|send me)";
const PLEASE = "(|, please|, thanks|.|?)";

/** See `More`: other words for what was asked too narrowly before. */
export const MORE: More = {
  ask: [
    `${FIND} {R a} ${JOB} (in|around|near|for) {P}${PLEASE}`,
    `(my son|a neighbor|someone I know|my partner|a colleague), {R a}, (moves to|lives in|wants to go to) {P}. (Ideas|Any luck|What fits)?`,
    `(what|which) ${JOBS} (are out|exist|can you offer|are open) for {R s} in {P}(|?)`,
    `(in|over in|down in) {P}, (who hires|which firm takes|who employs|who wants) {R s}(|?)`,
    `(I hope|I plan|I mean|I try) to (find|start|begin) {R} ${JOBS} in {P}${PLEASE}`,
    `(which|what) (firms|employers|businesses|shops) in {P} (need|seek|miss|want) {R a}(|?)`,
    `(thinking of|going for|back to) {R} work in {P}${PLEASE}`,
  ],
  askDemand: [
    `${FIND} {R a} ${JOB} in {P}, (but|and|only|ideally) (one |){D}${PLEASE}`,
    `(does|would) {P} (have|offer) (some|any|a little) work for {R s} {D}(|?)`,
    `(I|we) (search|look|hunt|ask) for {R} ${JOBS} in {P}, {D}${PLEASE}`,
    `(something|anything|a place|work) {D} for {R a} (in|near) {P}${PLEASE}`,
    `{R} work {D} (in|around) {P}${PLEASE}`,
    `{P} is (where I live|my home|my town). {R} ${JOBS} {D}${PLEASE}`,
    `as {R a} I (want|need|look for) (a job|work|one) {D}. (City|Place|Where): {P}.`,
  ],
  askWhether: {
    remote: [
      `(do|would|will) (employers|companies|firms|bosses) in {P} (allow|offer|give) {R s} (remote days|home office|remote work)(|?)`,
      `(must|do) {R s} in {P} (come in|go to an office|be there in person)(|?)`,
      `{R} in {P}, (from home|remote|at home|from anywhere)(|?)`,
    ],
    newcomer: [
      `(would|do|will) (they|companies|employers) in {P} (train|take|teach|accept) {R a} (with no experience|without a past job|from zero)(|?)`,
      `(first job|no experience|fresh start|career change): {R} in {P}(|?)`,
      `how does a (beginner|newcomer|learner) become {R a} in {P}(|?)`,
    ],
    permanent: [
      `(could|would) {R a} in {P} (get a permanent contract|stay for good|be hired permanently)(|?)`,
    ],
    skill: [
      `(knowing|I know|I studied|I learned) {S}(, |, and |: )(what|which ${JOB}) is there for {R a} in {P}(|?)`,
    ],
  },
  demands: {
    remote: [
      "(that I could do|done|worked) (at home|anywhere|online|over the internet)",
      "(letting me|that allows me to|so I can|where people) (stay home|work at home|work anywhere)",
      "(where nobody|that doesn't make me|without having to) (go in|travel to work|drive to work)",
      "(on|with) (remote days|a home desk|remote terms)",
    ],
    newcomer: [
      "(that trains|that teaches|happy with|good for|ready for) (beginners|learners|graduates|people who never did it)",
      "(for my first|as a first|as my very first) (job|step|position)",
      "(that asks for|that wants|requiring) (no background|no past work|zero years|nothing on my CV)",
      "(if I have|when you have|although I have) (never done it|no experience yet|only just finished school)",
    ],
    permanent: [
      "(that lasts|for the long run|I can keep for years|with a permanent contract only)",
      "(not for a season|not as a temp|no temporary work), permanent",
    ],
    skill: [
      "(asking for|built on|full of|that rewards|based on) {S}",
      "(since|because|as) I (know|do|like|studied) {S}",
      "(that lets me|so I can) (apply|show|practice) {S}",
    ],
    pay: [
      "(giving|that gives|offering|that offers|worth) {A} (at least|or above|and up|or over)",
      "(not below|not under|never under|starting at) {A}",
    ],
    deadline: [
      "(that still takes|which takes|accepting) (letters|CVs|papers) (until|in|through) {M}",
      "(ending|that shuts|shutting|that finishes) (some time in|in|during) {M}",
      "(I can apply to|to apply for) (in|until|by) {M}",
      "(due|with the closing day|with a last day) in {M}",
    ],
  },
  askPlace: [
    `(what|which) (can people do|do people work as|trades are wanted|companies hire) in {P}(|?)`,
    `(I|we) (go|come|travel|return) to {P}(.|,) (what work is there|any job|which jobs)(|?)`,
    `${FIND} (all|any|some|whatever) ${JOBS} (in|from|around) {P}${PLEASE}`,
    `(list|tell me|describe|let me see) (what|who|which jobs) {P} (has|needs|wants)${PLEASE}`,
    `(anything|something|work) (going|open|to do) in {P}(|?)`,
  ],
  askRole: [
    `(in which places|in what towns|which cities|where on earth) (do|can|could) {R s} (work|find jobs|get hired)(|?)`,
    `${FIND} (cities|places|towns|companies) (for|with work for|that need) {R s}${PLEASE}`,
    `(where|what place|which town) (is short of|is looking for|has work for|hires) {R s}(|?)`,
    `(list|tell me|let me see) (places|cities|where there is work) for {R a}${PLEASE}`,
  ],
  askJson: [
    `(could you|please|can you) (output|write|give|make) JSON (with|of|having) {K} for {R a} in {P}${PLEASE}`,
    `{R} ${JOB} in {P}, (JSON|a JSON object), (only|just|fields) {K}(|.)`,
    `(a|one) JSON object (with|of|containing only) {K}: {R}, {P}(|.)`,
    `(put|pack|encode) {K} of {R a} ${JOB} in {P} (into|as|in) (JSON|a JSON object)(|.)`,
  ],
  askJsonWhole: [
    `(could you|please|can you) (output|write|give|make) JSON for {R a} ${JOB} in {P}${PLEASE}`,
    `(put|pack|encode) {R a} ${JOB} in {P} (into|as|in) (JSON|a JSON object|JSON data)(|.)`,
    `(for my program|for a script|for an API), {R a} ${JOB} in {P} as JSON(|.)`,
  ],
  fields: {
    pay: [
      "(is the money good|how well paid is it|what do people make there|what's it worth)(|?)",
      "(how many dollars|how much money|what sum) (is it|do I see|is in it|per year)(|?)",
    ],
    deadline: [
      "(how soon must|by when must|till when may|is there still time, when must) I (write|apply|send it)(|?)",
      "(when is it|is it soon) (over|too late|closed)(|?)",
    ],
    work: [
      "(how often|which days|how long|when) (would I work|must I be there|do people work|do I go in)(|?)",
      "(tell me about|what about) (the working week|shifts|the days)(|?|.)",
    ],
    duty: [
      "(what tasks|which jobs|what things) (wait for me|would be mine|are there to do)(|?)",
      "(what do they|what does one) (want done|do all day)(|?)",
    ],
    skills: [
      "(which things|what) (should I have learned|do I have to know|must one master)(|?)",
      "(any|are there) (requirements|special skills|skills needed)(|?)",
    ],
    experience: [
      "(how many years|how long) (do I need|must I have worked|of work do they want)(|?)",
      "(is it|would it be) (fine|okay) (without experience|for a beginner)(|?)",
    ],
    contract: ["(is it for good|does the contract end|how long does it last|will I be permanent)(|?)"],
  },
  follow: {
    place: [
      "(now|next|instead|or|alternatively)(,|) {P}(|.|?|, please)",
      "(try|check|take|use|switch to|look in) {P}(| instead| now|, please)(|.)",
      "(would|could) {P} (work|have one|be possible)(|?)",
    ],
    role: [
      "(now|next|instead|or|alternatively)(,|) {R a}(|.|?|, please)",
      "(try|check|take|switch to|look for) {R a}(| instead| now|, please)(|.)",
      "(would|could) {R s} (find work there|get hired there)(|?)",
    ],
    demand: [
      "(but|and|also|one thing,|oh,) (it must be|I need one|make it one|only one) {D}(|.|, please)",
      "(could you find|is any|can it be) one {D}(|?)",
    ],
    field: [
      "(repeat|name|give me|let me know|state) the {F}(| again|, please)(|.)",
      "(about|regarding|now) the {F}(|?|.)",
      "(do you know|I want to know|I forgot) the {F}(|?|.)",
    ],
    another: [
      "(no|nah|hm|pass)(.|,) (another|the next one|a different company|try again)(|.|, please)",
      "(could I see|let me see|I'd like) (another|others|a different company)(|?|.)",
    ],
    nth: [
      "(take|pick|choose|describe|expand) (the {N}|the {N} one|number {N}|the {N} line)(|.|, please)",
      "the {N} (looks good|sounds nice|interests me|is mine)(.| Tell me more.|, go on)",
      "(can you|could you|please) (say|tell|show) more (of|on|about) the {N}(| one| job)(|?|.)",
    ],
    json: [
      "(turn|make|put|write) (it|that|this) (into|as|in) JSON(,|:| with) (only |){K}(|.)",
      "(a|one) JSON object (of|with|from it with) {K}(|.|, please)",
      "(extract|take|pull) {K} (as|into|in) JSON(|.)",
    ],
    jsonWhole: [
      "(turn|make|put|write|change) (it|that|this|the last one) (into|to|as) (JSON|a JSON object|JSON data)(|.|, please)",
      "(I need|can I have|now) (it|that|this) (as|in) JSON(|?|.)",
    ],
  },
  talk: {
    greeting: [
      "(oh|well|ah)(,|) (hello|hi|good day|good evening)(| again| to you| friend)(|!|.)",
      "(glad|happy|nice) to (see|meet) you(|!|.)",
    ],
    thanks: [
      "(I appreciate it|so kind|how nice|great help|lovely|superb)(|, thanks|, thank you)(|!|.)",
      "(thank you|thanks) for (that|the help|your time|all this)(|!|.)",
    ],
    about: [
      "(is this|are you) (a bot|a program|software|some AI|a person|a language model)(|?)",
      "(tell me|explain|I wonder) (who you are|what you are|what this is)(|.|?)",
      "(introduce|present|explain) yourself (|briefly|to me|, please)(|.)",
    ],
    name: [
      "(say|tell me|what was|I forgot|and) your name(|?|.|, please)",
      "(how|what) (do people|does one|do they) call you(|?)",
      "(who|what) is your name(|, friend)(|?)",
      "(your name|name)(|?|, please)",
      "(under|with) what name (do you work|should I save you|can I reach you)(|?)",
    ],
    abilities: [
      "(which|what) (topics|things|tasks|kinds of things) (can you do|do you know|can I ask about)(|?)",
      "(explain|show me|tell me) (how to use you|what you do|your skills)(|.)",
    ],
    real: [
      "(is|was) (any of this|all that|that company|this job) (true|real|invented|fiction)(|?)",
      "(so|wait|hm)(,|) (are they|is it) (fake|real|existing|made up)(|?)",
    ],
    outside: [
      "(which|what) (river|lake|city|country|animal|planet|tree|ocean) is the (longest|deepest|biggest|oldest|smallest|fastest)(|?)",
      "(when|where|why) (was|did|were) (Rome|the war|the first car|dinosaurs|the pyramids|Columbus|paper) (built|start|invented|die|born|begin)(|?)",
      "my (baby|car|phone|laptop|plant|neighbor) (is sick|won't sleep|is broken|makes noise|is too loud|bit me)(|, what now|.|?)",
      "(write|program|build|fix|make|debug) (me|) (a website|an app|a robot|a calculator|my code|a script)(|.|, please)",
      "(will there be|is there|do you expect|how much) (snow|sun|wind|fog|a storm) (today|tomorrow|this week|on Monday|tonight)(|?)",
      "(what does|explain|define|tell me about) (gravity|electricity|democracy|an atom|evolution|music|the economy|a volcano|inflation)(| mean)(|?|.)",
      "how many (days|planets|people|bones|minutes|states) (are there|has a year|in the world)(|?)",
      "(recommend|name|know) (a|some|any) (park|bar|zoo|lake|church|theater|market|cinema) (in|by|near) {P}(|?|.)",
      "(is|are) (coffee|sugar|cheese|running|eggs|milk|a banana) (healthy|good for me|bad|a vegetable|tasty)(|?)",
      "(can you|please|could you) (sing|dance|rhyme|paint|play a game|order pizza|call my mother|book a flight|do my homework)(|?|.)",
      "(what is|how do you say) (dog|bread|love|thanks|house|water) in (Italian|Chinese|Latin|Russian|Portuguese)(|?)",
      "(how do I get|how far is it|is there a train) from {P} to {P}(|?)",
      "(I have|my head has|what helps against) (a headache|a cold|a fever|back pain|a cough)(|.|?)",
    ],
  },
  system: {
    none: [
      "(Be|Stay|Remain) (kind|friendly|patient|correct|calm|honest)(.| at all times.)",
      "(You work for|You represent|You sit at) (a job board|an agency|a help desk|a career office)(.|)",
      "(Talk to|Serve|Support|Welcome) (visitors|customers|people|users) (well|politely|with care)(.|)",
    ],
    brief: [
      "(As short as you can|Only the essentials|Just the facts|The shorter the better|Be very short)(.|)",
      "(Write|Say|Use) (little|only a line|the minimum|few words|one short line)(.|)",
      "(The user|Our reader) (has no time|is in a hurry)(.|: be brief.|. Short answers.)",
    ],
    plain: [
      "(Sound|Write|Be) (relaxed|easygoing|chatty|like a pal|like a mate|cool)(.|)",
      "(Skip|Forget|Avoid) (formal words|politeness|stiff language|formalities)(.|)",
      "(Speak|Talk|Write) (as to a friend|as if to your brother|the way teenagers do|in everyday words)(.|)",
    ],
    place: [
      "(Our office|This service|This desk|Our company|The site) (covers|knows|serves|lists) (only |just |nothing but ){P}(.|, no other place.|. Say no to the rest.)",
      "(All jobs are|Every job is|Jobs must be) in {P}(.|; decline others.|. Other places: refuse.)",
      "(Stick to|Stay with|Keep to) {P}(.| alone.| and refuse the rest.)",
      "If (asked|someone asks) about (another place|other cities), (refuse|say no|decline): (only |we do ){P}(.|)",
    ],
    role: [
      "(Our office|This service|This desk|Our company|The site) (covers|knows|serves|lists) (only|just|nothing but) {R} jobs(.|. Say no to the rest.)",
      "(All jobs are|Every job is) for {R s}(.|; decline others.|. Other jobs: refuse.)",
      "(Stick to|Stay with|Keep to) {R s}(.| alone.| and refuse the rest.)",
      "If (asked|someone asks) about (another job|other work), (refuse|say no|decline): only {R s}(.|)",
    ],
    json: [
      "(Your reply|The answer|Each message|The result) (is|must be|should be) (JSON|a JSON object|in JSON)(.|)",
      "(Talk|Speak|Answer) (to machines|to a parser|to an API)(:|,) (JSON only|in JSON)(.|)",
    ],
    jsonKeys: [
      "(Your reply|The answer|Each message) (is|must be|should be) (JSON|a JSON object) (with|of|containing) (only |){K}(.|)",
      "(Use|Write|Send) (JSON|a JSON object) (and only|with exactly|holding only) {K}(.|)",
    ],
    persona: [
      "(Present|Name|Think of) yourself (as|) {N}(.|)",
      "(Today|Now|For this chat) you (are|play|are called) {N}(.|)",
      "(The user|Everyone|People) (calls|call|knows|know) you (as|) {N}(.|)",
      "(You have|You bear|You were given) the name {N}(.|)",
      "(Hello|Hi)(,|) {N}(.|! That is you.)",
      "(Assistant|Bot|Role|Character): {N}(.|)",
    ],
    ending: [
      '(Put|Write|Place|Leave|Say|Include) "{E}" (at the very end|last|at the bottom|after each answer|when you finish)(.|)',
      '(Each|Every|Any) (answer|reply|message|text) (ends|closes|stops|finishes) (with|in|on) "{E}"',
      '(Ending|Last line|Closing words|Signature|Goodbye): "{E}"',
      'Never (stop|finish|end) without "{E}"',
    ],
    fields: [
      "(Keep|Include|Mention|Report|Display) (only|just|nothing but) (the |){K}(.|)",
      "(Users|People|We) (need|want|care about) only (the |){K}(.|)",
      "(Skip|Drop|Hide) the rest; only (the |){K}(.|)",
    ],
  },
};
