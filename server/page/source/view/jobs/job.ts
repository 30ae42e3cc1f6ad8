export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";
export const jobStates: readonly JobState[] = ["queued", "running", "done", "failed", "cancelled"];

/** A job as the API tells of it. */
export interface Job {
  id: string;
  endpoint: string;
  state: JobState;
  attempts: number;
  created_at: string;
  expires_at: string | null;
  position?: number;
  expected_start?: string | null;
  progress?: { tokens: number; max_tokens: number };
  result?: JobResult;
  error?: { code: string; detail: unknown };
}

interface JobResult {
  generated?: string;
  choices?: { index: number; text?: string; generated?: string; message?: { content?: string | null } }[];
}

export const isOpen = ({ state }: Pick<Job, "state">) => state === "queued" || state === "running";

/** The outputs of a job that is done, whatever its operation. */
export function outputsOf({ result }: Job): string[] {
  if (!result) return [];
  const { choices, generated } = result;
  if (!choices) return generated === undefined ? [] : [generated];
  return choices.map((choice) => choice.message?.content ?? choice.text ?? choice.generated ?? "");
}
