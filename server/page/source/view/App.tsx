import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { keepPreference, readPreference } from "../state/preferences.js";
import { newScreen, type Screen } from "../state/screen.js";
import { browserLanguage, dictionaries, type Language, Speech } from "../texts/texts.js";
import { ApiError } from "../wire/errors.js";
import { readKey } from "../wire/key.js";
import { Header, type Theme } from "./Header.js";
import { JobsView } from "./jobs/JobsView.js";
import { KeyField } from "./keys/KeyField.js";
import { KeysView } from "./keys/KeysView.js";
import { LazyView } from "./LazyView.js";
import { PlaygroundView } from "./playground/PlaygroundView.js";
import { type Session, SessionContext } from "./session.js";
import { useSharedLinks } from "./shared-links.js";
import { type Health, useHealth } from "./use-health.js";
import { type ViewName, viewOf } from "./views.js";

/** Its code is as large as all other views' together, with the plots. */
const loadLive = () => import("./live/LiveView.js");

export function App() {
  const [language, setLanguage] = usePreference<Language>("language", ["en", "ko"], browserLanguage);
  const [theme, setTheme] = usePreference<Theme>("theme", ["auto", "light", "dark"], () => "auto");
  const view = useView();
  const [screen, setScreen] = useState<Screen>(newScreen);
  // A link's state is another playground: an answer that still comes belongs to the one before.
  const [playground, setPlayground] = useState(0);
  const linkFailed = useSharedLinks((shared) => {
    setScreen(shared);
    setPlayground((count) => count + 1);
  });
  const health = useHealth();
  const [announcement, say] = useState("");
  const { session, asked } = useNewSession(health?.model, say);
  const texts = dictionaries[language];
  useEffect(() => {
    document.documentElement.lang = language;
    document.documentElement.dataset.theme = theme;
    document.title = `${session.model || "jai-server"} · ${texts[view]}`;
  }, [language, theme, session.model, view]);
  return (
    <Speech.Provider value={{ texts, language }}>
      <SessionContext.Provider value={session}>
        <a class="skip" href="#content">
          {texts.skip}
        </a>
        <Header {...{ health, view, language, setLanguage, theme, setTheme }} />
        <main id="content" tabIndex={-1} class={`view view-${view}`}>
          {asked && <KeyField />}
          {linkFailed && <p class="notice">{texts.error.shared}</p>}
          {/* It stays while another view is open, and so does what it generates. */}
          <div class="kept" hidden={view !== "playground"}>
            <PlaygroundView key={playground} screen={screen} setScreen={setScreen} />
          </div>
          {view === "live" && <LazyView load={loadLive} />}
          {view === "jobs" && <JobsView screen={screen} />}
          {view === "keys" && <KeysView />}
        </main>
        <div class="unseen" role="status">
          {announcement}
        </div>
      </SessionContext.Provider>
    </Speech.Provider>
  );
}

function useView(): ViewName {
  const [view, setView] = useState<ViewName>(viewOf(location.hash));
  useEffect(() => {
    const follow = () => {
      // The link that skips to the content leads to no other view.
      if (location.hash !== "#content") setView(viewOf(location.hash));
    };
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return view;
}

function useNewSession(served: Health["model"] | undefined, say: (text: string) => void) {
  // While the server is away, programs and answers still say what it served.
  const last = useRef(served);
  last.current = served ?? last.current;
  const { name: model = "", context = Number.POSITIVE_INFINITY } = last.current ?? {};
  const chats = last.current?.chat_template ?? true;
  const [asked, setAsked] = useState(false);
  const [generation, setGeneration] = useState(0);
  const report = useCallback((error: unknown) => {
    if (error instanceof ApiError && error.status === 401) setAsked(true);
  }, []);
  const keyChanged = useCallback(() => {
    setAsked(false);
    setGeneration((count) => count + 1);
  }, []);
  const keyed = asked || readKey() !== "";
  const session = useMemo<Session>(
    () => ({ model, context, chats, keyed, generation, report, keyChanged, say }),
    [model, context, chats, keyed, generation, report, keyChanged, say],
  );
  return { session, asked };
}

function usePreference<T extends string>(name: string, values: readonly T[], otherwise: () => T) {
  const [value, setValue] = useState<T>(
    () => values.find((one) => one === readPreference(name)) ?? otherwise(),
  );
  const choose = (next: T) => {
    setValue(next);
    keepPreference(name, next);
  };
  return [value, choose] as const;
}
