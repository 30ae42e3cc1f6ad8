import { useLiveTexts } from "../../texts/live/live.js";
import { numbersIn } from "../../texts/live/numbers.js";
import { useLanguage, useTexts } from "../../texts/texts.js";
import type { Percentiles, Status } from "../../wire/status.js";
import { Help } from "./Help.js";

/** The numbers that one looks at first. */
export function Headline({ status }: { status: Status }) {
  const texts = useLiveTexts();
  const { status: states } = useTexts();
  const { count, rate, long } = numbersIn(useLanguage());
  const { rates, queue, latency_ms: latency, requests, uptime_seconds: uptime, workers } = status;
  const slots = workers.reduce((sum, worker) => sum + worker.slots.length, 0);
  const unwell = [
    [requests.refused, texts.refused],
    [requests.failed, texts.failed],
    [requests.cancelled, texts.cancelled],
  ] as const;
  return (
    <dl class="numbers">
      <Tile name="tokens" text={texts.tokenRate} value={rate(rates.generated_tokens)} />
      <Tile
        name="running"
        text={texts.running}
        value={count(queue.running)}
        more={texts.ofSlots(count(slots))}
      />
      <Tile
        name="waiting"
        text={texts.waiting}
        value={count(queue.waiting)}
        more={texts.ofLimit(count(queue.limit))}
      />
      <LatencyTile name="ttft" text={texts.ttft} latency={latency.ttft} />
      <LatencyTile name="itl" text={texts.itl} latency={latency.itl} />
      <Tile
        name="requests"
        text={texts.finished}
        value={count(requests.ok)}
        more={unwell.map(([number, write]) => write(count(number))).join(", ")}
      />
      <Tile name="uptime" text={texts.uptime} value={long(uptime)} more={states[status.status]} />
    </dl>
  );
}

interface TileProps {
  /** For tests and styles. */
  name: string;
  /** Title and help. */
  text: readonly [string, string];
  value: string;
  more?: string;
}

function Tile({ name, text: [title, help], value, more }: TileProps) {
  return (
    <div class="tile" data-number={name}>
      <dt>
        <Help title={title} help={help} />
      </dt>
      <dd>
        <span class="value">{value}</span>
        {more && <span class="faint">{more}</span>}
      </dd>
    </div>
  );
}

function LatencyTile({ latency, ...rest }: Omit<TileProps, "value" | "more"> & { latency: Percentiles }) {
  const texts = useLiveTexts();
  const { span } = numbersIn(useLanguage());
  return <Tile {...rest} value={span(latency.p50)} more={texts.medianAnd(span(latency.p99))} />;
}
