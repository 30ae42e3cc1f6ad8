import { Component } from "preact";
import type { LiveTexts } from "../../texts/live/english.js";
import { useLiveTexts } from "../../texts/live/live.js";
import { numbersIn } from "../../texts/live/numbers.js";
import { useLanguage } from "../../texts/texts.js";
import type { Slot, Status, Worker } from "../../wire/status.js";
import { fullness, slotsInWords } from "./summary.js";

/** All slots, a cell each. The cells are for the eye; each worker's line says the same in words. */
export function Slots({ status: { workers, model } }: { status: Status }) {
  const texts = useLiveTexts();
  return (
    <section class="panel" aria-labelledby="slots-title">
      <div class="panel-head">
        <h2 id="slots-title">{texts.slots}</h2>
        <ul class="legend">
          {(["prefill", "decode", "idle"] as const).map((state) => (
            <li key={state}>
              <i class={`slot slot-${state}`} aria-hidden="true" /> {texts.slotStates[state]}
            </li>
          ))}
        </ul>
      </div>
      {workers.length === 0 && <p class="empty">{texts.noWorkers}</p>}
      <div class="workers">
        {workers.map((worker, number) => (
          <WorkerSlots key={number} {...{ worker, number }} context={model.context} />
        ))}
      </div>
      <small>{texts.slotsHint}</small>
    </section>
  );
}

interface Props {
  worker: Worker;
  number: number;
  /** Tokens that a slot's part of the cache takes. */
  context: number;
}

function WorkerSlots({ worker, number, context }: Props) {
  const texts = useLiveTexts();
  const language = useLanguage();
  const { percent } = numbersIn(language);
  const { state, slots } = worker;
  return (
    <div class="worker" data-worker={number}>
      <h3>
        {texts.worker(number + 1)}{" "}
        <span class={`state worker-${state}`} title={texts.workerHints[state]}>
          {texts.workerStates[state]}
        </span>
      </h3>
      <p class="faint">
        {slotsInWords(slots, texts, language)} · {texts.cacheFull(percent(fullness(worker, context)))}
      </p>
      <div class={`slots ${sizeOf(slots.length)}`} aria-hidden="true">
        {slots.map((slot, place) => (
          <Cell key={place} {...slot} {...{ place, context, texts }} />
        ))}
      </div>
    </div>
  );
}

/** Many slots get small cells, so that a worker's are seen at once. */
function sizeOf(slots: number): string {
  if (slots <= 8) return "slots-large";
  return slots <= 64 ? "" : "slots-small";
}

/** The fill's steps, in percent: finer ones would not be seen, and each change is drawn. */
const STEP = 5;

interface CellProps extends Slot {
  place: number;
  context: number;
  texts: LiveTexts;
}

/** A thousand cells are drawn each second: those that did not change cost nothing. */
class Cell extends Component<CellProps> {
  override shouldComponentUpdate({ state, tokens, context, texts }: CellProps): boolean {
    const { props } = this;
    return (
      state !== props.state || tokens !== props.tokens || context !== props.context || texts !== props.texts
    );
  }

  override render({ state, tokens, place, context, texts }: CellProps) {
    return (
      <i
        class={`slot slot-${state}`}
        style={{ backgroundSize: `100% ${STEP * Math.ceil((100 * tokens) / context / STEP)}%` }}
        title={texts.slotOf(place + 1, texts.slotNames[state], String(tokens), String(context))}
      />
    );
  }
}
