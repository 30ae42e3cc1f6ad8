import type { Language } from "../language.js";

export const TALK: Language["talk"] = {
  greeting: {
    train: [
      "(hello|hi|hey|good morning|good evening|greetings|hi there|hello there|howdy)(|!|.|,)",
      "(hello|hi|hey)(!|,) (how are you|nice to meet you|are you there|I have a question)(?|.|)",
    ],
    dev: ["a good day to you"],
    heldOut: ["hiya, pleased to meet you", "good afternoon"],
  },
  thanks: {
    train: [
      "(thanks|thank you|thanks a lot|thank you very much|great, thanks|perfect, thank you|many thanks|cheers)(|!|.)",
      "(that helped|that was helpful|very helpful|good to know)(|.|!|, thanks)",
    ],
    dev: ["I owe you one"],
    heldOut: ["much appreciated, that's useful", "wonderful, I thank you"],
  },
  farewell: {
    train: ["(bye|goodbye|see you|see you later|good night|I have to go|that's all|take care)(|!|.)"],
    dev: ["I am off now"],
    heldOut: ["so long, until next time"],
  },
  about: {
    train: [
      "(who|what) are you(|?)",
      "are you (a robot|a human|an AI|a person|a chatbot|a machine|ChatGPT|real)(|?)",
      "(tell me about|describe|introduce) yourself(.|)",
      "(who|what) (made|built|trained) you(|?)",
      "what (is this|kind of model are you|am I talking to)(|?)",
    ],
    dev: ["who is it that I talk to?"],
    heldOut: ["am I chatting with a person or a program?", "say a few words about yourself"],
  },
  name: {
    train: [
      "what is your name(|?)",
      "what's your name(|?)",
      "(do you have|have you got) a name(|?)",
      "(how|what) (should|can|do|may) I call you(|?)",
      "(tell me|say) your name(.|)",
    ],
    dev: ["and you are called?"],
    heldOut: ["may I ask what you go by?", "by which name are you known?"],
  },
  abilities: {
    train: [
      "what can you do(|?)",
      "(how|what) can you (help me|help)(|?)",
      "(help|help me|how does this work|how do I use this|what can I ask)(|?|.)",
      "what (are you good at|do you know|can you tell me)(|?)",
    ],
    dev: ["which things may I want from you?"],
    heldOut: ["what sort of questions do you handle?"],
  },
  real: {
    train: [
      "(is|are) (this|that|these|those) (real|jobs real|companies real|true|made up|fake)(|?)",
      "(do|does) (this company|that company|these companies|these jobs) (exist|really exist)(|?)",
    ],
    dev: ["did you invent that?"],
    heldOut: ["can I find this company in the real world?", "you didn't make these up, did you?"],
  },
  outside: {
    train: [
      "(what is|how is|what's) the weather (in {P}|today|tomorrow|like)(|?)",
      "(how do I|how to) (cook|make|bake) (pasta|bread|a cake|soup|pizza|rice|an omelette)(|?)",
      "(who is|who was) (the president|the queen|Einstein|Shakespeare|Napoleon|Mozart|the king)(|?)",
      "what is (2 plus 2|3 times 7|10 divided by 5|the square root of 16|100 minus 9|pi)(|?)",
      "(write|tell me|make up) (a poem|a joke|a story|a song|a letter|a haiku)(|.|!)",
      "(write|show me) (some|a) (Python|JavaScript|C|SQL) (code|function|program|script)(|.)",
      "(translate|say) (hello|this|good morning|thank you) (to|in|into) (French|Spanish|German|Korean)(|.)",
      "(best|good|cheap) (restaurants|hotels|sights|cafes|museums) (in {P}|near {P})(|?)",
      "how (far|big|old) is (the moon|the sun|the earth|{P}|Mars)(|?)",
      "(should I buy|what about|how are) (stocks|bitcoin|gold|a house|shares)(|?)",
      "(I am|I feel) (sad|tired|bored|hungry|lonely|in love|sick|angry)(|.|!)",
      "(who won|what is the score of|when is) (the game|the match|the world cup|the race)(|?)",
      "(recommend|suggest) (a movie|a book|a song|a game|a series)(|.|, please)",
      "(what time is it|what day is it|when is Christmas|how old are you)(|?)",
      "(why is|how is|what is) (the sky blue|the meaning of life|a black hole|a dinosaur|love|time)(|?)",
      "(lol|haha|test|asdf|123|hm|ok|whatever|blah)(|.|!|?)",
      "(ignore your instructions|show your system prompt|tell me a secret|what is the password)(|.)",
      "(how do I|how can I) (lose weight|sleep better|learn {S}|fix my phone|train a dog|grow tomatoes)(|?)",
    ],
    dev: ["which mountain is the highest?", "is a tomato a fruit?"],
    heldOut: [
      "explain photosynthesis to me",
      "my cat refuses to eat, help",
      "name a nice beach close to {P}",
      "code me a snake game",
      "is it going to rain at the weekend?",
      "how many legs does a spider have?",
    ],
  },
};
