import { useTexts } from "../texts/texts.js";
import { wordsOf } from "../texts/words.js";
import { ApiError } from "../wire/errors.js";

interface Props {
  /** Null: nothing is shown. */
  error: unknown;
  retry?: () => void;
}

/** The same request would fail again. */
const wrongForGood: ReadonlySet<number> = new Set([400, 403, 404, 413, 415, 422]);

/** An error in words, where it happened. */
export function Failure({ error, retry }: Props) {
  const texts = useTexts();
  if (error === null || error === undefined) return null;
  const { what, said } = wordsOf(error, texts);
  const mayPass = !(error instanceof ApiError) || !wrongForGood.has(error.status);
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
      {retry && mayPass && (
        <button type="button" onClick={retry}>
          {texts.retry}
        </button>
      )}
    </div>
  );
}
