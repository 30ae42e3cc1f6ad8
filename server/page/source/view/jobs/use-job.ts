import { useEffect, useState } from "preact/hooks";
import { ask, askJson } from "../../wire/api.js";
import { readEvents } from "../../wire/events.js";
import { useSession } from "../session.js";
import { isOpen, type Job, outputsOf } from "./job.js";

export interface WatchedJob {
  job: Job | null;
  /** Its outputs, as far as they have come. */
  outputs: string[];
  error: unknown;
}

const nothing: WatchedJob = { job: null, outputs: [], error: null };

/** Follows a job from its events until it has ended. @param ended called then */
export function useJob(id: string, ended: () => void): WatchedJob {
  const { report, generation } = useSession();
  const [watched, setWatched] = useState<WatchedJob>(nothing);
  useEffect(() => {
    const controller = new AbortController();
    const change = (step: (before: WatchedJob) => WatchedJob) => {
      if (!controller.signal.aborted) setWatched(step);
    };
    setWatched(nothing);
    follow(id, controller.signal, change)
      .then((wasOpen) => wasOpen && ended())
      .catch((error) => {
        if (controller.signal.aborted) return;
        report(error);
        change((before) => ({ ...before, error }));
      });
    return () => controller.abort();
  }, [id, generation]);
  return watched;
}

type Change = (step: (before: WatchedJob) => WatchedJob) => void;

/** @returns whether the job was open at first */
async function follow(id: string, signal: AbortSignal, change: Change): Promise<boolean> {
  const job = await askJson<Job>(`/jobs/${id}`, { signal });
  change(() => ({ job, outputs: outputsOf(job), error: null }));
  if (!isOpen(job)) return false;
  const response = await ask(`/jobs/${id}/events`, { signal });
  if (response.status === 204) return true;
  for await (const { name, data } of readEvents(response)) {
    if (name === ":") continue;
    const value = JSON.parse(data);
    if (name === "queued") change(told({ state: "queued", ...value }));
    else if (name === "running") change(told({ state: "running", attempts: value.attempt }));
    else if (name === "") change((before) => withPiece(before, value));
    else change(() => ({ job: value, outputs: outputsOf(value), error: null }));
  }
  return true;
}

const told = (news: Partial<Job>) => (before: WatchedJob) => ({
  ...before,
  job: before.job && { ...before.job, ...news },
});

function withPiece(
  before: WatchedJob,
  { index = 0, text, tokens }: { index?: number; text: string; tokens: number },
) {
  const outputs = [...before.outputs];
  outputs[index] = (outputs[index] ?? "") + text;
  const { job } = before;
  const { progress } = job ?? {};
  return {
    ...before,
    outputs,
    job: job && progress ? { ...job, progress: { ...progress, tokens: progress.tokens + tokens } } : job,
  };
}
