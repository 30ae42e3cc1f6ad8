import { useTexts } from "../../texts/texts.js";
import type { Token } from "../../wire/answer.js";
import { Visible } from "../Visible.js";

const percent = (logprob: number) => {
  const value = Math.exp(logprob) * 100;
  if (value < 0.001) return "< 0.001 %";
  return `${value >= 10 ? value.toFixed(1) : value.toPrecision(2)} %`;
};

/** A piece with its blanks in sight. */
const shown = (piece: string) => piece.replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥");

/** What is known of one token, in a box of a constant height. */
export function TokenDetail({ token }: { token: Token }) {
  const texts = useTexts();
  const { piece, id, logprob, top } = token;
  const hasOwn = top.some((one) => one.piece === piece);
  const rows = hasOwn || logprob === null ? top : [...top, { piece, logprob }];
  return (
    // Room for a row more than the alternatives: the token itself may be none of them.
    <div class="token-detail" style={{ "--rows": top.length + 1 }}>
      <p>
        <code>
          <Visible text={shown(piece)} />
        </code>
        <span class="faint">{id === null ? texts.tokenUnknown : `${texts.tokenId} ${id}`}</span>
        {logprob !== null && (
          <span class="faint">
            {texts.logprob} {logprob.toFixed(3)}
          </span>
        )}
      </p>
      <ul aria-label={texts.alternatives}>
        {rows.map((row) => (
          <li key={row.piece} class={row.piece === piece ? "own" : undefined}>
            <code>
              <Visible text={shown(row.piece)} />
            </code>
            <span class="share">
              <span class="share-bar" style={{ width: `${Math.exp(row.logprob) * 100}%` }} />
            </span>
            <span class="number">{percent(row.logprob)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
