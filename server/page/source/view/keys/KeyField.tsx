import { useEffect, useRef, useState } from "preact/hooks";
import { useTexts } from "../../texts/texts.js";
import { keepKey } from "../../wire/key.js";
import { useSession } from "../session.js";

/** Asks for the API key. */
export function KeyField() {
  const texts = useTexts();
  const { keyChanged } = useSession();
  const [key, setKey] = useState("");
  const [remember, setRemember] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const use = (event: Event) => {
    event.preventDefault();
    if (key.trim() === "") return;
    keepKey(key.trim(), remember);
    keyChanged();
  };
  return (
    <form class="key-field" onSubmit={use}>
      <label>
        <span>{texts.keyTitle}</span>
        <input
          ref={input}
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={key}
          aria-describedby="key-hint"
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="main">
        {texts.keyUse}
      </button>
      <label class="check">
        <input
          type="checkbox"
          checked={remember}
          onChange={(event) => setRemember(event.currentTarget.checked)}
        />
        {texts.keyRemember}
      </label>
      <small id="key-hint">{texts.keyHint}</small>
    </form>
  );
}
