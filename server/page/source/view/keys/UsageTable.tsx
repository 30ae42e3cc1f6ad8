import { useLanguage, useTexts } from "../../texts/texts.js";
import { momentOf } from "../../texts/time.js";
import type { Counts, KeyUsage } from "./usage.js";

export function UsageTable({ usage }: { usage: KeyUsage }) {
  const texts = useTexts();
  const language = useLanguage();
  const number = new Intl.NumberFormat(language);
  const columns: readonly [keyof Counts, string][] = [
    ["requests", texts.requests],
    ["refused", texts.refusedRequests],
    ["prompt_tokens", texts.promptTokens],
    ["completion_tokens", texts.outputTokens],
    ["total_tokens", texts.totalTokens],
  ];
  const cells = (counts: Counts) =>
    columns.map(([name]) => <td key={name}>{number.format(counts[name])}</td>);
  return (
    <section class="scroll" tabIndex={0} aria-label={texts.usageTitle}>
      <table>
        <thead>
          <tr>
            <th scope="col">{texts.day}</th>
            {columns.map(([name, title]) => (
              <th key={name} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {usage.days.map((day) => (
            <tr key={day.date}>
              <th scope="row">{day.date}</th>
              {cells(day)}
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">
              {texts.total}
              <small>
                {texts.since} {momentOf(usage.since, language)}
              </small>
            </th>
            {cells(usage)}
          </tr>
        </tfoot>
      </table>
    </section>
  );
}
