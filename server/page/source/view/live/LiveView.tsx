import { useState } from "preact/hooks";
import { useLiveTexts } from "../../texts/live/live.js";
import { useLanguage } from "../../texts/texts.js";
import { Failure } from "../Failure.js";
import { useSession } from "../session.js";
import { Facts } from "./Facts.js";
import { Headline } from "./Headline.js";
import "./live.css";
import { Plots } from "./Plots.js";
import { QueueTable } from "./QueueTable.js";
import { Slots } from "./Slots.js";
import { summaryOf } from "./summary.js";
import { useStatus, type Watched } from "./use-status.js";

/** What the server does now, and did in the last five minutes. */
export default function LiveView() {
  const texts = useLiveTexts();
  const [isPaused, setPaused] = useState(false);
  const watched = useStatus(isPaused);
  const { status, recent, isLive } = watched;
  return (
    <div class={`live ${isLive ? "" : "is-old"}`}>
      <div class="bar">
        <State {...watched} isPaused={isPaused} />
        <span class="space" />
        <Summary {...watched} />
        <button type="button" onClick={() => setPaused(!isPaused)}>
          {isPaused ? texts.resume : texts.pause}
        </button>
      </div>
      {status && (
        <>
          <Headline status={status} />
          <div class="live-columns">
            <Slots status={status} />
            <QueueTable queue={status.queue} />
          </div>
          <Plots recent={recent} rows={status.cache.rows} />
          <Facts status={status} />
        </>
      )}
    </div>
  );
}

/** Whether the numbers are of now, and if not, why. */
function State({ status, error, isLive, isPaused }: Watched & { isPaused: boolean }) {
  const texts = useLiveTexts();
  if (isLive) return <span class="faint">{texts.live}</span>;
  if (isPaused) return <span role="status">{texts.paused}</span>;
  if (error === null) return <span role="status">{texts.connecting}</span>;
  return (
    <>
      <Failure error={error} />
      {status && <span>{texts.lost}</span>}
    </>
  );
}

/** The state in a few sentences, on demand: a region that speaks each second would let nobody work. */
function Summary({ status }: Watched) {
  const texts = useLiveTexts();
  const language = useLanguage();
  const { say } = useSession();
  const [summary, setSummary] = useState<string | null>(null);
  if (status === null) return null;
  const summarize = () => {
    const now = summaryOf(status, texts, language);
    setSummary(summary === null ? now : null);
    if (summary === null) say(now);
  };
  return (
    <>
      <button type="button" aria-expanded={summary !== null} aria-controls="live-summary" onClick={summarize}>
        {texts.summarize}
      </button>
      <p id="live-summary" class="live-summary" hidden={summary === null}>
        {summary}
      </p>
    </>
  );
}
