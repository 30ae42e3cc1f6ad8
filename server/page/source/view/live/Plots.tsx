import type { RecentSeconds } from "../../state/recent-seconds.js";
import { useLiveTexts } from "../../texts/live/live.js";
import { numbersIn } from "../../texts/live/numbers.js";
import { useLanguage } from "../../texts/texts.js";
import { Plot } from "./Plot.js";

/** The last five minutes as curves. */
export function Plots({ recent: { series }, rows }: { recent: RecentSeconds; rows: number }) {
  const texts = useLiveTexts();
  const { rate, span, count } = numbersIn(useLanguage());
  const percentiles = (p50: (number | null)[], p99: (number | null)[]) => [
    { label: texts.median, values: p50 },
    { label: texts.p99, values: p99 },
  ];
  return (
    <section class="panel" aria-labelledby="plots-title">
      <h2 id="plots-title">{texts.plots}</h2>
      <div class="plots">
        <Plot
          title={texts.plotTokens}
          write={rate}
          lines={[
            { label: texts.generated, values: series.generated_tokens },
            { label: texts.prompts, values: series.prompt_tokens },
          ]}
        />
        <Plot
          title={texts.plotQueue}
          write={count}
          lines={[
            { label: texts.runningSeries, values: series.running },
            { label: texts.waitingSeries, values: series.waiting },
          ]}
        />
        <Plot
          title={texts.plotTtft}
          write={span}
          lines={percentiles(series.ttft_p50_ms, series.ttft_p99_ms)}
        />
        <Plot title={texts.plotItl} write={span} lines={percentiles(series.itl_p50_ms, series.itl_p99_ms)} />
        <Plot
          title={texts.plotRows}
          write={count}
          most={rows}
          lines={[{ label: texts.usedRows, values: series.used_rows }]}
        />
      </div>
    </section>
  );
}
