import type { FormKind, Screen } from "../../state/screen.js";
import { useTexts } from "../../texts/texts.js";
import { TextField } from "./controls.js";

interface Props {
  screen: Screen;
  change(changes: Partial<Screen>): void;
  wrong: string | null;
}

/** Which form the output has to have. */
export function FormSettings({ screen, change, wrong }: Props) {
  const texts = useTexts();
  const { form } = screen;
  const kinds: readonly [FormKind, string][] = [
    ["none", texts.formNone],
    ["json", texts.formJson],
    ["schema", texts.formSchema],
    ["regex", texts.formRegex],
    ["grammar", texts.formGrammar],
  ];
  const labels = { schema: texts.schema, regex: texts.regex, grammar: texts.grammar };
  return (
    <section>
      <h2>{texts.structured}</h2>
      <label class="field">
        <span class="field-name">{texts.form}</span>
        <select value={form} onChange={(event) => change({ form: event.currentTarget.value as FormKind })}>
          {kinds.map(([kind, name]) => (
            <option key={kind} value={kind}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {form !== "none" && form !== "json" && (
        <TextField
          name="form"
          label={labels[form]}
          hint=""
          rows={form === "schema" ? 8 : 3}
          value={screen[form]}
          setValue={(value) => change({ [form]: value })}
          wrong={wrong}
        />
      )}
    </section>
  );
}
