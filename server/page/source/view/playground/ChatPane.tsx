import { useState } from "preact/hooks";
import { newTurn, type Screen, type Turn } from "../../state/screen.js";
import { useTexts } from "../../texts/texts.js";
import { Failure } from "../Failure.js";
import { Composer } from "./Composer.js";
import { Message } from "./Message.js";
import type { Generating } from "./use-generation.js";
import { usePinnedScroll } from "./use-pinned-scroll.js";

export interface PaneProps {
  screen: Screen;
  change(changes: Partial<Screen>): void;
  generating: Generating;
}

export function ChatPane({ screen, change, generating }: PaneProps) {
  const texts = useTexts();
  const { turns, draft, system } = screen;
  const { run, isRunning, setback } = generating;
  const scroll = usePinnedScroll(turns);
  // Screen readers ask for a region's end, so it says when it is at work.
  const hasSystem = system !== "";
  const [isSystemOpen, setSystemOpen] = useState(hasSystem);
  const send = () => {
    const next = draft.trim() === "" ? turns : [...turns, newTurn("user", draft)];
    if (next.at(-1)?.role !== "user") return;
    change({ turns: next, draft: "" });
    run(next);
  };
  const replace = (turn: Turn) => change({ turns: turns.map((one) => (one.key === turn.key ? turn : one)) });
  const answerAgain = (index: number, seed?: number) => {
    const before = turns.slice(0, turns[index]!.role === "user" ? index + 1 : index);
    change({ turns: before });
    run(before, seed);
  };
  return (
    <div class="pane">
      <section
        class="scroll turns"
        ref={scroll}
        aria-label={texts.conversation}
        aria-busy={isRunning}
        tabIndex={0}
      >
        <details
          class="system"
          open={isSystemOpen || hasSystem}
          onToggle={(event) => setSystemOpen(event.currentTarget.open)}
        >
          <summary>{texts.system}</summary>
          <textarea
            rows={2}
            aria-label={texts.system}
            aria-describedby="system-hint"
            value={system}
            onInput={(event) => change({ system: event.currentTarget.value })}
          />
          <small id="system-hint">{texts.systemHint}</small>
        </details>
        {turns.length === 0 && (
          <div class="empty">
            <p>{texts.emptyChat}</p>
            <small>{texts.emptyChatHint}</small>
          </div>
        )}
        {turns.map((turn, index) => (
          <Message
            key={turn.key}
            {...{ turn, replace, isBusy: isRunning }}
            remove={() => change({ turns: turns.filter((one) => one !== turn) })}
            answerAgain={(seed) => answerAgain(index, seed)}
            keepSeed={(seed) => change({ numbers: { ...screen.numbers, seed: String(seed) } })}
          />
        ))}
        <Failure error={setback?.error} retry={() => run(turns)} />
      </section>
      <Composer
        {...{ generating, send }}
        label={texts.message}
        value={draft}
        setValue={(value) => change({ draft: value })}
        canSend={draft.trim() !== "" || turns.at(-1)?.role === "user"}
      />
    </div>
  );
}
