import { useEffect, useRef, useState } from "preact/hooks";
import type { Turn } from "../../state/screen.js";
import { useTexts } from "../../texts/texts.js";
import { CopyButton } from "../CopyButton.js";
import { Visible } from "../Visible.js";
import { AnswerView } from "./AnswerView.js";

interface Props {
  turn: Turn;
  isBusy: boolean;
  replace(turn: Turn): void;
  remove(): void;
  /** Generates the answer to this message, or this answer, anew. */
  answerAgain(seed?: number): void;
  keepSeed(seed: number): void;
}

export function Message({ turn, isBusy, replace, remove, answerAgain, keepSeed }: Props) {
  const texts = useTexts();
  const [isEditing, setEditing] = useState(false);
  const { role, text, answer, chosen } = turn;
  const who = texts[role];
  return (
    <article class={`turn turn-${role}`} aria-label={who}>
      <h2>{who}</h2>
      {isEditing ? (
        <MessageEditor
          text={text}
          // What the user wrote is no longer what the model said: its tokens go.
          save={(edited) => replace({ ...turn, text: edited, answer: edited === text ? answer : null })}
          close={() => setEditing(false)}
        />
      ) : answer ? (
        <AnswerView
          answer={answer}
          chosen={chosen}
          choose={(index) => replace({ ...turn, chosen: index, text: answer.samples[index]!.text })}
          keepSeed={keepSeed}
        />
      ) : (
        <Visible text={text} />
      )}
      {!isEditing && !(isBusy && answer && answer.endedAt === null) && (
        <div class="bar actions">
          <CopyButton text={() => text} label={who} />
          <button type="button" class="quiet" disabled={isBusy} onClick={() => setEditing(true)}>
            {texts.edit}
          </button>
          <button type="button" class="quiet" disabled={isBusy} onClick={() => answerAgain()}>
            {texts.regenerate}
          </button>
          {answer && (
            <button type="button" class="quiet" disabled={isBusy} onClick={() => answerAgain(answer.seed)}>
              {texts.again}
            </button>
          )}
          <button type="button" class="quiet" disabled={isBusy} onClick={remove}>
            {texts.remove}
          </button>
        </div>
      )}
    </article>
  );
}

interface EditorProps {
  text: string;
  save(text: string): void;
  close(): void;
}

function MessageEditor({ text, save, close }: EditorProps) {
  const texts = useTexts();
  const [edited, setEdited] = useState(text);
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => area.current?.focus(), []);
  const saveAndClose = () => {
    save(edited);
    close();
  };
  return (
    <div class="editor">
      <textarea
        ref={area}
        aria-label={texts.edit}
        rows={Math.min(12, edited.split("\n").length + 1)}
        value={edited}
        onInput={(event) => setEdited(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") close();
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) saveAndClose();
        }}
      />
      <div class="bar">
        <button type="button" class="main" onClick={saveAndClose}>
          {texts.save}
        </button>
        <button type="button" onClick={close}>
          {texts.cancel}
        </button>
      </div>
    </div>
  );
}
