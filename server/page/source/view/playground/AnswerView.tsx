import { useTexts } from "../../texts/texts.js";
import { type Answer, cutOf, paceOf, type Sample } from "../../wire/answer.js";
import { useSession } from "../session.js";
import { Visible } from "../Visible.js";
import { TokenView } from "./TokenView.js";

interface Props {
  answer: Answer;
  keepSeed(seed: number): void;
  /** Of several samples, the one that the conversation continues with. */
  chosen?: number;
  choose?(index: number): void;
}

/** An answer as far as it has come: its samples side by side, and a line about it. */
export function AnswerView({ answer, keepSeed, chosen, choose }: Props) {
  const texts = useTexts();
  const { samples, state } = answer;
  const isSingle = samples.length === 1;
  return (
    <>
      <div class={isSingle ? "samples" : "samples several"}>
        {samples.map((sample, index) => (
          <div key={index} class={!isSingle && index === chosen ? "sample chosen" : "sample"}>
            {!isSingle && (
              <div class="bar sample-head">
                <h3>{texts.sample(index + 1)}</h3>
                <span class="space" />
                {choose && (
                  <button
                    type="button"
                    class="quiet"
                    aria-pressed={index === chosen}
                    title={index === chosen ? texts.chosen : undefined}
                    onClick={() => choose(index)}
                  >
                    {texts.continueWith}
                  </button>
                )}
              </div>
            )}
            <SampleText sample={sample} isEnded={answer.endedAt !== null} />
            {!isSingle && sample.finish && (
              <small>{sample.finish === "length" ? <Cut answer={answer} /> : texts.finishStop}</small>
            )}
          </div>
        ))}
      </div>
      <Facts answer={answer} keepSeed={keepSeed} isStopped={state === "stopped"} />
    </>
  );
}

function SampleText({ sample, isEnded }: { sample: Sample; isEnded: boolean }) {
  if (sample.tokens.length > 0) return <TokenView sample={sample} isEnded={isEnded} />;
  return (
    <>
      <Visible text={sample.text} />
      {!isEnded && sample.finish === null && <span class="caret" aria-hidden="true" />}
    </>
  );
}

function Cut({ answer }: { answer: Answer }) {
  const texts = useTexts();
  const cut = cutOf(answer, useSession().context);
  return <strong class="cut">{cut ? texts.cutBy[cut] : texts.finishLength}</strong>;
}

interface FactsProps {
  answer: Answer;
  keepSeed(seed: number): void;
  isStopped: boolean;
}

/** One line, there from the start so that nothing moves: what it waits for, then what it took. */
function Facts({ answer, keepSeed, isStopped }: FactsProps) {
  const texts = useTexts();
  const { state, queue, usage, seed, samples } = answer;
  if (state === "waiting")
    return <p class="facts">{queue ? texts.queued(queue.position, queue.expected_wait) : texts.waiting}…</p>;
  if (state === "running") return <p class="facts">{texts.running}…</p>;
  const pace = paceOf(answer);
  const finish = samples.length === 1 ? samples[0]!.finish : null;
  const parts = [
    isStopped && <strong>{texts.stopped}</strong>,
    state === "failed" && <strong class="cut">{texts.failed}</strong>,
    finish && (finish === "length" ? <Cut answer={answer} /> : texts.finishStop),
    usage &&
      texts.usage(
        usage.prompt_tokens,
        usage.prompt_tokens_details?.cached_tokens ?? 0,
        usage.completion_tokens,
      ),
    pace && texts.ttft(Math.round(pace.ttft)),
    pace && pace.rate !== null && texts.rate(Math.round(pace.rate)),
    <button key="seed" type="button" class="link" title={texts.keepSeed} onClick={() => keepSeed(seed)}>
      {texts.seed(seed)}
    </button>,
  ].filter(Boolean);
  return (
    <p class="facts">
      {parts.map((part, index) => (
        <span key={index}>{part}</span>
      ))}
    </p>
  );
}
