import { type Language, languageNames, useTexts } from "../texts/texts.js";
import type { Health } from "./use-health.js";
import { type ViewName, viewNames } from "./views.js";

export type Theme = "auto" | "light" | "dark";

interface Props {
  health: Health | null;
  view: ViewName;
  language: Language;
  setLanguage(language: Language): void;
  theme: Theme;
  setTheme(theme: Theme): void;
}

export function Header({ health, view, language, setLanguage, theme, setTheme }: Props) {
  const texts = useTexts();
  const status = health?.status ?? "away";
  const themes = { auto: texts.themeAuto, light: texts.themeLight, dark: texts.themeDark };
  return (
    <header class="head">
      <h1 class="model">
        <span class={`dot dot-${status}`} />
        <bdi>{health?.model.name ?? "jai-server"}</bdi>
        <span class="faint model-more">
          {health && `${health.model.precision} · ${texts.context(health.model.context)} · `}
          {texts.status[status]}
        </span>
      </h1>
      <nav aria-label={texts.views} class="tabs">
        {viewNames.map((name) => (
          <a key={name} href={`#${name}`} aria-current={name === view ? "page" : undefined}>
            {texts[name]}
          </a>
        ))}
      </nav>
      <div class="looks">
        <Choice label={texts.language} value={language} names={languageNames} choose={setLanguage} />
        <Choice label={texts.theme} value={theme} names={themes} choose={setTheme} />
      </div>
    </header>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  names: Readonly<Record<T, string>>;
  choose(value: T): void;
}

function Choice<T extends string>({ label, value, names, choose }: ChoiceProps<T>) {
  return (
    <select aria-label={label} value={value} onChange={(event) => choose(event.currentTarget.value as T)}>
      {(Object.entries(names) as [T, string][]).map(([one, name]) => (
        <option key={one} value={one}>
          {name}
        </option>
      ))}
    </select>
  );
}
