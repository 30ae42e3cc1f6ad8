import type { Forms } from "../forms/forms.js";
import type { BodyBudget } from "../http/body-budget.js";
import type { Document } from "../http/document.js";
import type { Idempotency } from "../idempotency/idempotency.js";
import type { Dispatcher } from "../jobs/dispatcher.js";
import type { JobDocuments } from "../jobs/job-documents.js";
import type { JobStandings } from "../jobs/job-standings.js";
import type { Jobs } from "../jobs/jobs.js";
import type { Callers } from "../keys/callers.js";
import type { UsageRecords } from "../keys/usage-records.js";
import type { Live, LiveParts } from "../live/live.js";
import type { StatusParts } from "../live/status.js";
import type { Log } from "../log.js";
import type { Outcome, Task } from "../pool/pool.js";
import type { Queue } from "../queue/queue.js";
import type { OpenAiModel } from "../requests/openai/request.js";
import type { Operation } from "../requests/operation.js";
import type { HealthParts } from "../routes/health.js";
import type { Config } from "../settings/config.js";
import type { Holdings } from "../shares.js";
import type { Space } from "../store/space.js";
import type { Store } from "../store/store.js";
import type { EventStreamOptions } from "../streams/event-response.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import type { Texts } from "../texts/texts.js";
import type { PrivateAddresses } from "../webhooks/callback-request.js";
import type { Callbacks } from "../webhooks/callbacks.js";

export type AssemblyConfig = Pick<
  Config,
  | "maxBodyBytes"
  | "maxTokens"
  | "maxPromptChars"
  | "host"
  | "allowedHosts"
  | "corsOrigins"
  | "dataBytes"
  | "jobLimit"
  | "jobTtl"
  | "callbackSecret"
  | "callbackPrivate"
  | "metrics"
  | "metricsPort"
  | "metricsNames"
>;

/** The parts from which the others are made. */
export interface AssemblyBase {
  config: AssemblyConfig;
  /** Path of the data folder. */
  dataDir: string;
  model: OpenAiModel;
  plan: HealthParts["plan"];
  selfTest: HealthParts["selfTest"];
  vitals: HealthParts["vitals"];
  workers: LiveParts["workers"];
  startedAt: HealthParts["startedAt"];
  queue: Queue<Task, Outcome>;
  forms: Pick<Forms, "check">;
  texts: Pick<Texts, "reader" | "withPlace">;
  callers: Callers;
  telemetry: Telemetry;
  log: Log;
  streams?: EventStreamOptions;
  /** Streams of the server's state that callers have. Default: none; for tests. */
  watching?: Holdings;
  /** Room for the bodies of all requests. Default: 32 MiB, or two of the largest bodies. */
  bodies?: BodyBudget;
  /** openapi.yaml with this server's limits, if a test has already read it. */
  document?: Document;
  /** Validate every response against openapi.yaml; for tests. */
  validateResponses?: boolean;
}

/** Everything between the sockets and the workers. */
export interface AssemblyParts extends AssemblyBase {
  operations: readonly Operation[];
  store: Store;
  space: Space;
  usage: UsageRecords;
  jobs: Jobs;
  standings: JobStandings;
  dispatcher: Dispatcher;
  live: Live;
  /** How many jobs wait, run, and have ended in each way since the start. */
  jobCounts: StatusParts["jobs"];
  documents: JobDocuments;
  /** Null if there are no callbacks, for lack of a secret. */
  callbacks: Callbacks | null;
  idempotency: Idempotency;
  /** Which addresses callbacks may go to; null if there are no callbacks, for lack of a secret. */
  callbackAddresses: PrivateAddresses | null;
}
