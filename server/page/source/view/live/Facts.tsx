import type { ComponentChildren } from "preact";
import { useLiveTexts } from "../../texts/live/live.js";
import { numbersIn } from "../../texts/live/numbers.js";
import { useLanguage } from "../../texts/texts.js";
import type { Status } from "../../wire/status.js";
import { Help } from "./Help.js";

/** What one looks up: caches, memory, jobs, restarts. */
export function Facts({ status }: { status: Status }) {
  return (
    <section class="panel" aria-labelledby="facts-title">
      <h2 id="facts-title">{useLiveTexts().facts}</h2>
      <dl class="numbers facts-list">
        <CacheFacts {...status} />
        <WorkFacts {...status} />
        <ProcessFacts {...status} />
      </dl>
    </section>
  );
}

const useWriting = () => ({ texts: useLiveTexts(), ...numbersIn(useLanguage()) });

function CacheFacts({ cache }: Status) {
  const { texts, count, percent, bytes } = useWriting();
  const { rows, used_rows: used, prompt_tokens: read, reused_tokens: reused } = cache;
  return (
    <>
      <Fact
        name="cache"
        text={texts.cacheUse}
        more={texts.hitsOf(count(used), count(rows))}
        share={used / rows}
      >
        {percent(used / rows)}
      </Fact>
      <Fact name="cache-memory" text={texts.cacheMemory}>
        {bytes(cache.bytes)}
      </Fact>
      <Fact name="hits" text={texts.prefixHits} more={texts.hitsOf(count(reused), count(read))}>
        {read === 0 ? texts.noValue : percent(reused / read)}
      </Fact>
    </>
  );
}

function WorkFacts({ jobs, restarts, latency_ms: latency }: Status) {
  const { texts, count, span } = useWriting();
  return (
    <>
      <Fact
        name="jobs"
        text={texts.jobs}
        more={texts.jobsEnded(count(jobs.done), count(jobs.failed), count(jobs.cancelled))}
      >
        {texts.jobsNow(count(jobs.running), count(jobs.waiting))}
      </Fact>
      <Fact name="queue-wait" text={texts.queueWait} more={texts.medianAnd(span(latency.queue.p99))}>
        {span(latency.queue.p50)}
      </Fact>
      <Fact name="total" text={texts.whole} more={texts.medianAnd(span(latency.total.p99))}>
        {span(latency.total.p50)}
      </Fact>
      <Fact name="restarts" text={texts.restarts} more={texts.reruns(count(restarts.reruns))}>
        {count(restarts.workers)}
      </Fact>
    </>
  );
}

function ProcessFacts({ memory, event_loop_ms: delay, model, device, workers, threads, version }: Status) {
  const { texts, count, span, bytes } = useWriting();
  return (
    <>
      <Fact
        name="memory"
        text={texts.memory}
        more={texts.memoryOf(bytes(memory.budget))}
        share={memory.rss / memory.budget}
      >
        {bytes(memory.rss)}
      </Fact>
      <Fact name="event-loop" text={texts.eventLoop} more={texts.medianAnd(span(delay.p99))}>
        {span(delay.p50)}
      </Fact>
      <Fact
        name="model"
        text={texts.model}
        more={texts.modelOf(count(model.context), count(model.vocabulary))}
      >
        <bdi>{model.name}</bdi> · {model.precision}
      </Fact>
      <Fact
        name="server"
        text={texts.server}
        more={texts.deviceOf(device, count(workers.length), count(threads))}
      >
        {version}
      </Fact>
    </>
  );
}

interface FactProps {
  name: string;
  text: readonly [string, string];
  more?: string;
  /** Shown as a bar, from 0 to 1. */
  share?: number;
  children: ComponentChildren;
}

function Fact({ name, text: [title, help], more, share, children }: FactProps) {
  return (
    <div class="tile" data-number={name}>
      <dt>
        <Help title={title} help={help} />
      </dt>
      <dd>
        <span class="value">{children}</span>
        {share !== undefined && <meter value={share} min={0} max={1} aria-hidden="true" />}
        {more && <span class="faint">{more}</span>}
      </dd>
    </div>
  );
}
