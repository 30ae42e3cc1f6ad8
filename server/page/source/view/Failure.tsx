import { useTexts } from "../texts/texts.js";
import { wordsOf } from "../texts/words.js";

interface Props {
  /** Null: nothing is shown. */
  error: unknown;
  retry?: () => void;
}

/** An error in words, where it happened. */
export function Failure({ error, retry }: Props) {
  const texts = useTexts();
  if (error === null || error === undefined) return null;
  const { what, said } = wordsOf(error, texts);
  return (
    <div class="failure" role="alert">
      <p>
        {what}{" "}
        {said !== null && (
          <>
            {texts.error.says} <bdi lang="en">{said}</bdi>
          </>
        )}
      </p>
      {retry && (
        <button type="button" onClick={retry}>
          {texts.retry}
        </button>
      )}
    </div>
  );
}
