import { useCallback, useEffect, useState } from "preact/hooks";
import type { Screen } from "../../state/screen.js";
import { useTexts } from "../../texts/texts.js";
import { askJson } from "../../wire/api.js";
import { Failure } from "../Failure.js";
import { JobButton } from "../playground/JobButton.js";
import { useSession } from "../session.js";
import { useLoaded } from "../use-loaded.js";
import { JobRow } from "./JobRow.js";
import { isOpen, type Job, type JobState, jobStates } from "./job.js";

interface JobList {
  jobs: Job[];
  next_cursor: string | null;
}

const PAGE = 20;
const MOST = 100;
/** How often the list is asked for while a job in it goes on. */
const PERIOD_MS = 2_000;

export function JobsView({ screen }: { screen: Screen }) {
  const texts = useTexts();
  const { generation } = useSession();
  const [state, setState] = useState<JobState | "all">("all");
  const [limit, setLimit] = useState(PAGE);
  const [opened, setOpened] = useState<string | null>(null);
  const load = useCallback(
    () => askJson<JobList>(`/jobs?limit=${limit}${state === "all" ? "" : `&state=${state}`}`),
    [limit, state, generation],
  );
  const { value, error, reload } = useLoaded(load);
  const goesOn = value?.jobs.some(isOpen) ?? false;
  useEffect(() => {
    if (!goesOn) return;
    const timer = setInterval(() => document.hidden || reload(), PERIOD_MS);
    return () => clearInterval(timer);
  }, [goesOn, reload]);
  const created = (id: string) => {
    setOpened(id);
    reload();
  };
  return (
    <div class="sheet">
      <div class="bar">
        <h2>{texts.jobs}</h2>
        <JobButton screen={screen} created={created} label={texts.newJob} />
        <span class="space" />
        <select
          aria-label={texts.jobState}
          value={state}
          onChange={(event) => setState(event.currentTarget.value as JobState | "all")}
        >
          {["all", ...jobStates].map((one) => (
            <option key={one} value={one}>
              {texts.jobStates[one]}
            </option>
          ))}
        </select>
        <button type="button" onClick={reload}>
          {texts.refresh}
        </button>
      </div>
      <small>{texts.jobsHint}</small>
      <Failure error={error} retry={reload} />
      {value?.jobs.length === 0 && <p class="empty">{texts.noJobs}</p>}
      <ul class="jobs">
        {value?.jobs.map((job) => (
          <JobRow
            key={job.id}
            {...{ job, reload }}
            isOpened={job.id === opened}
            toggle={() => setOpened(job.id === opened ? null : job.id)}
          />
        ))}
      </ul>
      {value?.next_cursor && limit < MOST && (
        <button type="button" onClick={() => setLimit(Math.min(MOST, limit + PAGE))}>
          {texts.more}
        </button>
      )}
    </div>
  );
}
