import { useState } from "preact/hooks";
import { useLanguage, useTexts } from "../../texts/texts.js";
import { momentOf } from "../../texts/time.js";
import { ask } from "../../wire/api.js";
import { CopyButton } from "../CopyButton.js";
import { Failure } from "../Failure.js";
import { useSession } from "../session.js";
import { Visible } from "../Visible.js";
import { isOpen, type Job } from "./job.js";
import { useJob } from "./use-job.js";

interface Props {
  job: Job;
  isOpened: boolean;
  toggle(): void;
  reload(): void;
}

export function JobRow({ job, isOpened, toggle, reload }: Props) {
  const texts = useTexts();
  const language = useLanguage();
  const { report } = useSession();
  const [error, setError] = useState<unknown>(null);
  const remove = async () => {
    try {
      await ask(`/jobs/${job.id}`, { method: "DELETE" });
      reload();
    } catch (failure) {
      report(failure);
      setError(failure);
    }
  };
  return (
    <li>
      <div class="bar">
        <button type="button" class="job-name" aria-expanded={isOpened} onClick={toggle}>
          <span class={`state state-${job.state}`}>{texts.jobStates[job.state]}</span>
          <code>{job.id.slice(0, 8)}</code>
          <span>{job.endpoint}</span>
          <span class="faint">{momentOf(job.created_at, language)}</span>
        </button>
        <span class="space" />
        <span class="faint">
          <Standing job={job} />
        </span>
        {job.state !== "cancelled" && (
          <button
            type="button"
            class="quiet"
            aria-label={`${isOpen(job) ? texts.cancelJob : texts.removeJob}: ${job.id.slice(0, 8)}`}
            onClick={() => void remove()}
          >
            {isOpen(job) ? texts.cancelJob : texts.removeJob}
          </button>
        )}
      </div>
      <Failure error={error} />
      {isOpened && <JobDetail id={job.id} ended={reload} />}
    </li>
  );
}

/** Where a job stands: its place, or how far it has got. */
function Standing({ job }: { job: Job }) {
  const texts = useTexts();
  const { position, progress } = job;
  if (progress && job.state === "running") return texts.jobProgress(progress.tokens, progress.max_tokens);
  return position === undefined || job.state !== "queued" ? null : texts.jobPosition(position);
}

function JobDetail({ id, ended }: { id: string; ended(): void }) {
  const texts = useTexts();
  const language = useLanguage();
  const { job, outputs, error } = useJob(id, ended);
  return (
    <div class="job-detail">
      <Failure error={error} />
      {job && (
        <>
          {isOpen(job) && job.progress && (
            <progress max={job.progress.max_tokens} value={job.progress.tokens} aria-label={texts.job} />
          )}
          <div class={outputs.length > 1 ? "samples several" : "samples"}>
            {outputs.map((text, index) => (
              <div key={index} class="sample">
                {outputs.length > 1 && <h3>{texts.sample(index + 1)}</h3>}
                <Visible text={text} />
              </div>
            ))}
          </div>
          {job.error && (
            <p class="failure">
              <Visible text={`${job.error.code}: ${JSON.stringify(job.error.detail)}`} />
            </p>
          )}
          <p class="facts">
            <span>{texts.jobStates[job.state]}</span>
            <span>
              <Standing job={job} />
            </span>
            {job.attempts > 1 && <span>{texts.attempts(job.attempts)}</span>}
            {job.expires_at && (
              <span>
                {texts.expires} {momentOf(job.expires_at, language)}
              </span>
            )}
            <code>{job.id}</code>
            {outputs.length > 0 && <CopyButton label={texts.result} text={() => outputs.join("\n\n")} />}
          </p>
          {job.result && (
            <details>
              <summary>{texts.wholeResult}</summary>
              <pre class="scroll">
                <Visible text={JSON.stringify(job.result, null, 2)} />
              </pre>
            </details>
          )}
        </>
      )}
    </div>
  );
}
