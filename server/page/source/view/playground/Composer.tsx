import { useEffect, useRef } from "preact/hooks";
import { useTexts } from "../../texts/texts.js";
import type { Generating } from "./use-generation.js";

interface Props {
  label: string;
  value: string;
  setValue(value: string): void;
  canSend: boolean;
  send(): void;
  generating: Generating;
}

/** A field of text with the button that sends it, or that stops what it started. */
export function Composer({ label, value, setValue, canSend, send, generating }: Props) {
  const texts = useTexts();
  const { isRunning, stop, setback } = generating;
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // Grows with its text, up to what the style allows.
    const { current } = area;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${current.scrollHeight + 2}px`;
  }, [value]);
  const sendByKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    if (canSend && !isRunning) send();
  };
  const hasProblems = setback !== null && Object.keys(setback.problems).length > 0;
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        if (canSend && !isRunning) send();
      }}
    >
      <textarea
        ref={area}
        rows={2}
        aria-label={label}
        aria-describedby="composer-hint"
        placeholder={label}
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
        onKeyDown={sendByKey}
      />
      <div class="bar">
        {hasProblems ? (
          <small class="wrong" role="alert" id="composer-hint">
            {texts.error.fix}
          </small>
        ) : (
          <small id="composer-hint" class="keys-hint">
            {texts.messageHint}
          </small>
        )}
        <span class="space" />
        {/* One button, so that the focus stays on it. */}
        <button
          type={isRunning ? "button" : "submit"}
          class="main"
          aria-disabled={!isRunning && !canSend}
          onClick={(event) => {
            if (!isRunning) return;
            event.preventDefault();
            stop();
          }}
        >
          {isRunning ? texts.stop : texts.send}
        </button>
      </div>
    </form>
  );
}
