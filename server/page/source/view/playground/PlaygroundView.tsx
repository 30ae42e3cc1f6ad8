import { useEffect, useState } from "preact/hooks";
import type { Mode } from "../../state/fields.js";
import type { Screen } from "../../state/screen.js";
import { useTexts } from "../../texts/texts.js";
import { useSession } from "../session.js";
import { ChatPane } from "./ChatPane.js";
import { CodeDialog } from "./CodeDialog.js";
import { CompletionPane } from "./CompletionPane.js";
import { JobButton } from "./JobButton.js";
import { Settings } from "./Settings.js";
import { ShareButton } from "./ShareButton.js";
import { type SetScreen, useGeneration } from "./use-generation.js";

interface Props {
  screen: Screen;
  setScreen: SetScreen;
}

export function PlaygroundView({ screen, setScreen }: Props) {
  const texts = useTexts();
  const generating = useGeneration(screen, setScreen);
  const [isCodeOpen, setCodeOpen] = useState(false);
  const [areSettingsOpen, setSettingsOpen] = useState(false);
  const change = (changes: Partial<Screen>) => setScreen((before) => ({ ...before, ...changes }));
  const { isRunning, stop } = generating;
  const { chats } = useSession();
  const isUnable = !chats && screen.mode === "chat";
  useEffect(() => {
    if (isUnable) change({ mode: "completion" });
  }, [isUnable]);
  useEffect(() => {
    const stopOnEscape = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) stop();
    };
    if (isRunning) addEventListener("keydown", stopOnEscape);
    return () => removeEventListener("keydown", stopOnEscape);
  }, [isRunning]);
  const clear = () => {
    generating.discard();
    change(screen.mode === "chat" ? { turns: [], draft: "" } : { prompt: "", output: null });
  };
  return (
    <>
      <div class="bar tools">
        <ModeSwitch
          mode={screen.mode}
          choose={(mode) => change({ mode })}
          disabled={isRunning}
          chats={chats}
        />
        {!chats && <small id="no-chat">{texts.noChat}</small>}
        <button type="button" onClick={clear}>
          {texts.clear}
        </button>
        <span class="space" />
        <button
          type="button"
          class="settings-toggle"
          aria-expanded={areSettingsOpen}
          aria-controls="settings"
          onClick={() => setSettingsOpen(!areSettingsOpen)}
        >
          {texts.settings}
        </button>
        <button type="button" onClick={() => setCodeOpen(true)}>
          {texts.code}
        </button>
        <ShareButton screen={screen} />
        <JobButton screen={screen} />
      </div>
      <div class="playground">
        {screen.mode === "chat" ? (
          <ChatPane {...{ screen, change, generating }} />
        ) : (
          <CompletionPane {...{ screen, change, generating }} />
        )}
        <Settings {...{ screen, change, isOpen: areSettingsOpen, setback: generating.setback }} />
      </div>
      {isCodeOpen && <CodeDialog screen={screen} close={() => setCodeOpen(false)} />}
    </>
  );
}

interface ModeProps {
  mode: Mode;
  choose(mode: Mode): void;
  disabled: boolean;
  chats: boolean;
}

function ModeSwitch({ mode, choose, disabled, chats }: ModeProps) {
  const texts = useTexts();
  return (
    <fieldset class="switch" disabled={disabled}>
      <legend class="unseen">{texts.mode}</legend>
      {(["chat", "completion"] as const).map((one) => (
        <label key={one}>
          <input
            type="radio"
            name="mode"
            checked={one === mode}
            disabled={one === "chat" && !chats}
            aria-describedby={one === "chat" && !chats ? "no-chat" : undefined}
            onChange={() => choose(one)}
          />
          <span>{texts[one]}</span>
        </label>
      ))}
    </fieldset>
  );
}
