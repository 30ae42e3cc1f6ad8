import { useId, useState } from "preact/hooks";
import { KEPT_SECONDS } from "../../state/recent-seconds.js";
import { useLiveTexts } from "../../texts/live/live.js";
import { numbersIn } from "../../texts/live/numbers.js";
import { useLanguage } from "../../texts/texts.js";
import type { PlotProps } from "./plot-props.js";
import { useCurves } from "./use-curves.js";

/** Curves, their values now or under the pointer, and the same as a table. */
export function Plot(props: PlotProps) {
  const { title, lines, write } = props;
  const texts = useLiveTexts();
  const { clock } = numbersIn(useLanguage());
  const id = useId();
  const { host, pointed } = useCurves(props);
  const at = pointed ?? KEPT_SECONDS - 1;
  return (
    <figure class="plot" aria-labelledby={id}>
      <figcaption>
        <h3 id={id}>{title}</h3>
        <ul class="legend">
          {lines.map(({ label, values }, number) => {
            const value = values[at] ?? null;
            return (
              <li key={label}>
                <i class={`line line-${number}`} aria-hidden="true" /> {label}{" "}
                <b>{value === null ? texts.noValue : write(value)}</b>
              </li>
            );
          })}
          {pointed !== null && <li>{texts.agoSeconds(clock(KEPT_SECONDS - 1 - pointed))}</li>}
        </ul>
      </figcaption>
      <div ref={host} class="curves" aria-hidden="true" />
      <PlotTable {...props} />
    </figure>
  );
}

/** Between two rows of the table, in seconds. */
const TABLE_STEP = 30;

function PlotTable({ title, lines, write }: PlotProps) {
  const texts = useLiveTexts();
  const { clock } = numbersIn(useLanguage());
  const [isOpen, setOpen] = useState(false);
  const ages = Array.from({ length: KEPT_SECONDS / TABLE_STEP }, (_, row) => row * TABLE_STEP);
  return (
    <details class="fold" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary aria-label={`${texts.asTable}: ${title}`}>{texts.asTable}</summary>
      {isOpen && (
        <table>
          <thead>
            <tr>
              <th scope="col">{texts.when}</th>
              {lines.map(({ label }) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {ages.map((age) => (
              <tr key={age}>
                <th scope="row">{age === 0 ? texts.now : texts.agoSeconds(clock(age))}</th>
                {lines.map(({ label, values }) => {
                  const value = values[KEPT_SECONDS - 1 - age] ?? null;
                  return <td key={label}>{value === null ? texts.noValue : write(value)}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  );
}
