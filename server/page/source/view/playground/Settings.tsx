import type { ComponentChildren } from "preact";
import {
  choosingFields,
  endingFields,
  type NumberField,
  usualFields,
  waitingFields,
} from "../../state/fields.js";
import { problemsOf, randomSeed } from "../../state/request.js";
import type { Screen } from "../../state/screen.js";
import { useTexts } from "../../texts/texts.js";
import { ApiError } from "../../wire/errors.js";
import { CheckField, NumberControl, problemWords, TextField } from "./controls.js";
import { FormSettings } from "./FormSettings.js";
import type { Setback } from "./use-generation.js";

interface Props {
  screen: Screen;
  change(changes: Partial<Screen>): void;
  /** On a narrow screen, whether it is in sight. */
  isOpen: boolean;
  setback: Setback | null;
}

export function Settings({ screen, change, isOpen, setback }: Props) {
  const texts = useTexts();
  const problems = problemsOf(screen);
  const error = setback?.error instanceof ApiError ? setback.error : null;
  const wrong = (name: string) => {
    const problem = problems[name];
    if (problem) return problemWords(problem, texts);
    return error && nameOfField(error.field) === name ? error.message : null;
  };
  const number = (field: NumberField) => (
    <NumberControl
      key={field.name}
      field={field}
      value={screen.numbers[field.name]}
      setValue={(value) => change({ numbers: { ...screen.numbers, [field.name]: value } })}
      wrong={wrong(field.name)}
      draw={field.name === "seed" ? () => String(randomSeed()) : undefined}
    />
  );
  const fits = ({ only }: NumberField) => only === undefined || only === screen.mode;
  return (
    <aside id="settings" class={isOpen ? "settings open" : "settings"} aria-label={texts.settings}>
      <section>
        <h2>{texts.usualSettings}</h2>
        {usualFields.map(number)}
      </section>
      <FormSettings {...{ screen, change }} wrong={wrong("form") ?? formError(error)} />
      <Fold title={texts.tokenSettings} isOpen={screen.tokens}>
        <CheckField
          {...{ label: texts.showTokens, hint: texts.showTokensHint, value: screen.tokens }}
          setValue={(tokens) => change({ tokens })}
        />
        <TokenCount {...{ screen, change }} />
      </Fold>
      <Fold title={texts.choosing}>
        {choosingFields.map(number)}
        <TextField
          {...{ name: "logit_bias", label: texts.logitBias, hint: texts.logitBiasHint, value: screen.bias }}
          setValue={(bias) => change({ bias })}
          wrong={wrong("logit_bias")}
        />
      </Fold>
      <Fold title={texts.ending}>
        <TextField
          {...{ name: "stop", label: texts.stopStrings, hint: texts.stopStringsHint, value: screen.stop }}
          setValue={(stop) => change({ stop })}
          wrong={wrong("stop")}
        />
        {endingFields.filter(fits).map(number)}
        <CheckField
          {...{ label: texts.ignoreEos, hint: texts.ignoreEosHint, value: screen.ignoreEos }}
          setValue={(ignoreEos) => change({ ignoreEos })}
        />
        {screen.mode === "completion" && (
          <CheckField
            {...{ label: texts.echo, hint: texts.echoHint, value: screen.echo }}
            setValue={(echo) => change({ echo })}
          />
        )}
      </Fold>
      <Fold title={texts.waitingSettings}>{waitingFields.map(number)}</Fold>
    </aside>
  );
}

/** `timeout.queue` of the API is a field of its own here. */
const nameOfField = (field: string | null) => field?.replace(".", "_") ?? null;

const formError = (error: ApiError | null) =>
  error?.code === "invalid_grammar" || error?.field?.startsWith("response_format") ? error.message : null;

function TokenCount({ screen, change }: Pick<Props, "screen" | "change">) {
  const texts = useTexts();
  return (
    <label class="field">
      <span class="field-name">{texts.alternatives}</span>
      <input
        type="number"
        min={0}
        max={20}
        value={screen.alternatives}
        aria-describedby="alternatives-hint"
        onInput={({ currentTarget: { valueAsNumber: count } }) => {
          if (Number.isInteger(count) && count >= 0 && count <= 20) change({ alternatives: count });
        }}
      />
      <small id="alternatives-hint">{texts.alternativesHint}</small>
    </label>
  );
}

interface FoldProps {
  title: string;
  isOpen?: boolean;
  children: ComponentChildren;
}

function Fold({ title, isOpen, children }: FoldProps) {
  return (
    <details class="fold" open={isOpen}>
      <summary>
        <h2>{title}</h2>
      </summary>
      {children}
    </details>
  );
}
