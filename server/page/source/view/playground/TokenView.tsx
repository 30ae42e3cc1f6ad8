import { useEffect, useRef, useState } from "preact/hooks";
import { visibleParts } from "../../state/visible.js";
import { useTexts } from "../../texts/texts.js";
import type { Sample, Token } from "../../wire/answer.js";
import { withIds } from "../../wire/token-ids.js";
import { Visible } from "../Visible.js";
import { TokenDetail } from "./TokenDetail.js";

/** Shades: the first is for a certain token, the last for one below a thousandth. */
const SHADES = 7;

export function shadeOf(logprob: number | null): number {
  if (logprob === null) return 0;
  return Math.min(SHADES - 1, Math.floor(-logprob));
}

/** A sample as its tokens, each shaded by its probability. One is looked at: the one that is pointed at or has the focus. */
export function TokenView({ sample, isEnded }: { sample: Sample; isEnded: boolean }) {
  const texts = useTexts();
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const tokens = useTokensWithIds(sample, isEnded);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(tokens.length - 1, Math.max(0, at + step));
    setAt(next);
    list.current?.querySelectorAll<HTMLElement>(".token")[next]?.focus();
  };
  return (
    <div class="tokens">
      <div
        ref={list}
        class="text token-list"
        dir="auto"
        role="listbox"
        tabIndex={-1}
        aria-label={`${texts.tokensOf}. ${texts.tokensHint}`}
        onKeyDown={move}
      >
        {tokens.map((token, index) => (
          <span
            key={index}
            role="option"
            tabIndex={index === at ? 0 : -1}
            aria-selected={index === at}
            class={`token shade-${shadeOf(token.logprob)}`}
            onMouseEnter={() => setAt(index)}
            onFocus={() => setAt(index)}
          >
            <Piece piece={token.piece} />
          </span>
        ))}
      </div>
      {tokens[at] && <TokenDetail token={tokens[at]} />}
    </div>
  );
}

/** A token's text. A line break is shown and made; a part of a character stays as the API writes it. */
function Piece({ piece }: { piece: string }) {
  if (!piece.includes("\n"))
    return visibleParts(piece).length > 1 ? <Visible text={piece} /> : <bdi>{piece}</bdi>;
  return (
    <>
      {piece.split("\n").map((line, index) => (
        <span key={index}>
          {index > 0 && <span class="break">{"↵\n"}</span>}
          <Visible text={line} />
        </span>
      ))}
    </>
  );
}

function useTokensWithIds(sample: Sample, isEnded: boolean): Token[] {
  const [known, setKnown] = useState<{ of: Sample; tokens: Token[] } | null>(null);
  useEffect(() => {
    if (!isEnded || sample.text === "") return;
    let isCurrent = true;
    // Without ids the view is whole all the same.
    withIds(sample).then(
      (tokens) => isCurrent && setKnown({ of: sample, tokens }),
      () => {},
    );
    return () => {
      isCurrent = false;
    };
  }, [sample, isEnded]);
  return known?.of === sample ? known.tokens : sample.tokens;
}
