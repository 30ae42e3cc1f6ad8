const count = (number: string, one: string, many: string) => `${number} ${number === "1" ? one : many}`;

/** A title and its explanation. */
const help = (title: string, text: string): readonly [string, string] => [title, text];

/** The texts of the live view, which are loaded with it. */
export const english = {
  pause: "Pause",
  resume: "Go on",
  summarize: "In words",
  paused: "Paused: the numbers stand still.",
  connecting: "Connecting…",
  live: "New each second",
  lost: "The numbers are old. Trying again.",

  tokenRate: help("Tokens per second", "Tokens generated in the last second, all requests together."),
  running: help("Running", "Sequences that have a slot now. A request for several outputs has several."),
  waiting: help("Waiting", "Sequences in the queue, and how many it takes."),
  ttft: help(
    "First token (TTFT)",
    "From a request's arrival to its first token: requests that ended in the last minute.",
  ),
  itl: help("Between tokens (ITL)", "From one token of a sequence to the next, over the last minute."),
  finished: help("Requests", "Generations since the start: those that ended well, and the others."),
  uptime: help("Up for", "Since the server started."),
  median: "median",
  p99: "99th percentile",
  medianAnd: (ms: string) => `median; 99 % within ${ms}`,
  ofLimit: (limit: string) => `of ${limit}`,
  ofSlots: (slots: string) => `of ${count(slots, "slot", "slots")}`,
  refused: (number: string) => `${number} refused`,
  failed: (number: string) => `${number} failed`,
  cancelled: (number: string) => `${number} cancelled`,

  slots: "Slots",
  slotsHint:
    "A cell is a slot: its letter says what its sequence does, its fill how full its part of the cache is.",
  slotStates: { idle: "idle", prefill: "prefill: reads the prompt", decode: "decode: writes tokens" },
  slotNames: { idle: "idle", prefill: "prefill", decode: "decode" },
  slotCount: (number: string, state: string) => `${number} ${state}`,
  worker: (number: number) => `Worker ${number}`,
  workerStates: { loading: "loading", idle: "idle", busy: "busy", stalled: "stalled" },
  workerHints: {
    loading: "It loads the model.",
    idle: "It has nothing to do.",
    busy: "It computes.",
    stalled: "It has work, and has made no step for a while.",
  },
  slotOf: (number: number, state: string, tokens: string, context: string) =>
    `Slot ${number}: ${state}, ${tokens} of ${context} tokens`,
  cacheFull: (share: string) => `cache ${share} full`,
  noWorkers: "The workers have not started yet.",

  queue: "Queue",
  noQueue: "Nobody waits.",
  position: "Position",
  caller: "Caller",
  anotherCaller: "another caller",
  you: "yours",
  priority: "Priority",
  sequences: "Sequences",
  waited: "Waited",
  expectedStart: "Starts in",
  unknownStart: "not known",
  andMore: (number: string) => `and ${number} more`,

  plots: "The last five minutes",
  plotTokens: "Tokens per second",
  plotQueue: "Sequences",
  plotTtft: "First token (TTFT)",
  plotItl: "Between tokens (ITL)",
  plotRows: "Cache, tokens in use",
  generated: "generated",
  prompts: "prompts",
  runningSeries: "running",
  waitingSeries: "waiting",
  usedRows: "in use",
  now: "now",
  ago: (minutes: number) => `−${minutes} min`,
  agoSeconds: (time: string) => `${time} ago`,
  asTable: "As a table",
  when: "When",
  noValue: "–",

  facts: "In detail",
  cacheUse: help("KV cache in use", "Tokens in the caches of all slots, of those that fit."),
  cacheMemory: help("KV cache memory", "Memory that the caches of all slots take."),
  prefixHits: help(
    "Prefix hits",
    "Tokens of prompts that a cache still held, so that they were not computed again, since the start.",
  ),
  hitsOf: (reused: string, all: string) => `${reused} of ${all} tokens`,
  jobs: help("Jobs", "Work without a waiting client: running, queued and ended."),
  jobsNow: (running: string, queued: string) => `${running} running, ${queued} queued`,
  jobsEnded: (done: string, failed: string, cancelled: string) =>
    `${done} done, ${failed} failed, ${cancelled} cancelled`,
  restarts: help(
    "Worker restarts",
    "Workers that were replaced since the start, after a crash or for their memory.",
  ),
  reruns: (number: string) => `${count(number, "sequence", "sequences")} run again`,
  memory: help("Memory", "Of the whole process, and what it is allowed."),
  memoryOf: (budget: string) => `of ${budget}`,
  eventLoop: help(
    "Event-loop delay",
    "How late the main thread is in the last second: median, and 99th percentile.",
  ),
  queueWait: help(
    "Wait in the queue",
    "Until a request got its first slot: requests that ended in the last minute.",
  ),
  whole: help(
    "Whole request",
    "From a request's arrival to its end: requests that ended in the last minute.",
  ),
  model: help("Model", "What is served: its weights, context and vocabulary."),
  server: help("Version", "Of the server, and what it computes on."),
  modelOf: (context: string, vocabulary: string) => `context ${context}, vocabulary ${vocabulary}`,
  deviceOf: (device: string, workers: string, threads: string) =>
    `${device}, ${count(workers, "worker", "workers")} × ${count(threads, "thread", "threads")}`,

  summary: (rate: string, running: string, waiting: string) =>
    `${rate} tokens per second, ${running} running, ${waiting} waiting.`,
  workerSummary: (name: string, state: string, slots: string, full: string) =>
    `${name} is ${state}: ${slots}, cache ${full} full.`,
};

export type LiveTexts = typeof english;
