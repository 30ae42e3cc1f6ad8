import { useState } from "preact/hooks";
import { bodyOf, problemsOf } from "../../state/request.js";
import type { Screen } from "../../state/screen.js";
import { useTexts } from "../../texts/texts.js";
import { askJson } from "../../wire/api.js";
import { Failure } from "../Failure.js";
import { useSession } from "../session.js";
import { turnsToSend } from "./CodeDialog.js";

interface Props {
  screen: Screen;
  /** Called with the new job's id. Default: the view of jobs opens. */
  created?(id: string): void;
  label?: string;
}

const openJobs = () => {
  location.hash = "jobs";
};

/** Sends what is on the playground as a job. */
export function JobButton({ screen, created = openJobs, label }: Props) {
  const texts = useTexts();
  const { model, report } = useSession();
  const [error, setError] = useState<unknown>(null);
  const turns = turnsToSend(screen);
  const isReady = screen.mode === "chat" ? turns.length > 0 : screen.prompt !== "";
  const hasProblems = Object.keys(problemsOf(screen)).length > 0;
  const submit = async () => {
    setError(null);
    const endpoint = screen.mode === "chat" ? "/v1/chat/completions" : "/v1/completions";
    const body = { endpoint, ...bodyOf(screen, turns, model) };
    try {
      const { id } = await askJson<{ id: string }>("/jobs", { method: "POST", body });
      created(id);
    } catch (failure) {
      report(failure);
      setError(failure);
    }
  };
  return (
    <>
      <button type="button" disabled={!isReady || hasProblems} onClick={() => void submit()}>
        {label ?? texts.asJob}
      </button>
      <Failure error={error} />
    </>
  );
}
