import type { NumberField } from "../../state/fields.js";
import type { Problem } from "../../state/request.js";
import type { Texts } from "../../texts/english.js";
import { useTexts } from "../../texts/texts.js";
import { Visible } from "../Visible.js";

export function problemWords(problem: Problem, { problem: texts }: Texts): string {
  if (problem.kind === "number") return texts.number(problem.min, problem.max, problem.whole);
  if (problem.kind === "json") return texts.json(problem.detail);
  return problem.kind === "bias" ? texts.bias(problem.line) : texts.empty;
}

interface Common<T> {
  value: T;
  setValue(value: T): void;
}

interface NumberProps extends Common<string> {
  field: NumberField;
  wrong: string | null;
  /** Offers a value. */
  draw?: (() => string) | undefined;
}

/** A number that may be left to the server, with a slider where its range is small. */
export function NumberControl({ field, value, setValue, wrong, draw }: NumberProps) {
  const texts = useTexts();
  const { name, min, max, step, otherwise } = field;
  const [label, hint] = texts.fields[name]!;
  const hasSlider = !field.whole && max <= 2;
  const placeholder = name === "seed" ? texts.random : (otherwise ?? texts.byServer);
  return (
    <div class={hasSlider ? "field has-slider" : "field"}>
      <label class="field-name" for={`field-${name}`}>
        {label}
      </label>
      {hasSlider && (
        <input
          type="range"
          {...{ min, max, step }}
          aria-label={label}
          value={value === "" ? (otherwise ?? "0") : value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      )}
      {draw && (
        <button type="button" class="quiet" title={texts.newSeed} onClick={() => setValue(draw())}>
          ⚄<span class="unseen">{texts.newSeed}</span>
        </button>
      )}
      <input
        id={`field-${name}`}
        type="text"
        inputMode={min < 0 ? "text" : field.whole ? "numeric" : "decimal"}
        autocomplete="off"
        {...{ value, placeholder }}
        aria-invalid={wrong !== null}
        aria-describedby={`field-${name}-hint`}
        onInput={(event) => setValue(event.currentTarget.value)}
      />
      <Hint name={name} {...{ hint, wrong }} />
    </div>
  );
}

interface TextProps extends Common<string> {
  name: string;
  label: string;
  hint: string;
  wrong: string | null;
  rows?: number;
}

export function TextField({ name, label, hint, value, setValue, wrong, rows = 2 }: TextProps) {
  return (
    <div class="field field-text">
      <label class="field-name" for={`field-${name}`}>
        {label}
      </label>
      <textarea
        id={`field-${name}`}
        spellcheck={false}
        {...{ rows, value }}
        aria-invalid={wrong !== null}
        aria-describedby={`field-${name}-hint`}
        onInput={(event) => setValue(event.currentTarget.value)}
      />
      <Hint {...{ name, hint, wrong }} />
    </div>
  );
}

/** What a field does, and above that what is wrong with it. */
function Hint({ name, hint, wrong }: { name: string; hint: string; wrong: string | null }) {
  return (
    <small id={`field-${name}-hint`}>
      {wrong !== null && (
        <span class="wrong" role="alert">
          <Visible text={wrong} />
        </span>
      )}
      {hint}
    </small>
  );
}

interface CheckProps extends Common<boolean> {
  label: string;
  hint: string;
}

export function CheckField({ label, hint, value, setValue }: CheckProps) {
  return (
    <div class="field">
      <label class="check">
        <input type="checkbox" checked={value} onChange={(event) => setValue(event.currentTarget.checked)} />
        {label}
      </label>
      <small>{hint}</small>
    </div>
  );
}
