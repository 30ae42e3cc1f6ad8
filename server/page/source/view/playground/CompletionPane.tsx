import { useTexts } from "../../texts/texts.js";
import { CopyButton } from "../CopyButton.js";
import { Failure } from "../Failure.js";
import { AnswerView } from "./AnswerView.js";
import type { PaneProps } from "./ChatPane.js";
import { Composer } from "./Composer.js";
import { usePinnedScroll } from "./use-pinned-scroll.js";

export function CompletionPane({ screen, change, generating }: PaneProps) {
  const texts = useTexts();
  const { prompt, output, numbers } = screen;
  const { run, isRunning, setback } = generating;
  const scroll = usePinnedScroll(output);
  const isWorking = isRunning && output?.endedAt === null;
  return (
    <div class="pane pane-completion">
      <Composer
        generating={generating}
        label={texts.prompt}
        value={prompt}
        setValue={(value) => change({ prompt: value })}
        canSend={prompt !== ""}
        send={() => run([])}
      />
      <section class="scroll turns" ref={scroll} aria-label={texts.output} aria-busy={isWorking} tabIndex={0}>
        {output === null && !setback?.error && (
          <div class="empty">
            <p>{texts.output}</p>
            <small>{texts.promptHint}</small>
          </div>
        )}
        {output && (output.state !== "failed" || output.firstAt !== null) && (
          <article class="turn turn-assistant" aria-label={texts.output}>
            <h2>{texts.output}</h2>
            <AnswerView
              answer={output}
              keepSeed={(seed) => change({ numbers: { ...numbers, seed: String(seed) } })}
            />
            {!isWorking && (
              <div class="bar actions">
                <CopyButton
                  label={texts.output}
                  text={() => output.samples.map(({ text }) => text).join("\n\n")}
                />
                <button type="button" class="quiet" disabled={isRunning} onClick={() => run([])}>
                  {texts.regenerate}
                </button>
                <button type="button" class="quiet" disabled={isRunning} onClick={() => run([], output.seed)}>
                  {texts.again}
                </button>
              </div>
            )}
          </article>
        )}
        <Failure error={setback?.error} retry={() => run([])} />
      </section>
    </div>
  );
}
