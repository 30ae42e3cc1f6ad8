import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { bodyOf, streamOf } from "../../state/request.js";
import { newTurn, type Screen } from "../../state/screen.js";
import { type Language, languages, snippet } from "../../state/snippets.js";
import { useTexts } from "../../texts/texts.js";
import { address } from "../../wire/api.js";
import { CopyButton } from "../CopyButton.js";
import { useSession } from "../session.js";

/** The programs that do what Send would do. */
export function CodeDialog({ screen, close }: { screen: Screen; close(): void }) {
  const texts = useTexts();
  const { model, keyed } = useSession();
  const [language, setLanguage] = useState<Language>("curl");
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const code = useMemo(() => {
    const body = bodyOf(screen, turnsToSend(screen), model);
    const path = screen.mode === "chat" ? "/v1/chat/completions" : "/v1/completions";
    return snippet(language, { base: address("/"), path, body: { ...body, ...streamOf(body) }, keyed });
  }, [screen, model, keyed, language]);
  return (
    <dialog ref={dialog} class="code" aria-label={texts.code} onClose={close}>
      <div class="bar">
        <fieldset class="switch">
          <legend class="unseen">{texts.code}</legend>
          {languages.map((one) => (
            <label key={one}>
              <input type="radio" name="code" checked={one === language} onChange={() => setLanguage(one)} />
              <span>{one}</span>
            </label>
          ))}
        </fieldset>
        <span class="space" />
        <CopyButton text={() => code} label={language} />
        <button type="button" onClick={() => dialog.current?.close()}>
          {texts.close}
        </button>
      </div>
      <pre tabIndex={0}>
        <code>{code}</code>
      </pre>
    </dialog>
  );
}

/** The messages as Send would send them; after an answer without a new message, those that it answered. */
export function turnsToSend({ turns, draft }: Screen) {
  if (draft.trim() !== "") return [...turns, newTurn("user", draft)];
  return turns.at(-1)?.role === "assistant" ? turns.slice(0, -1) : turns;
}
