import { visibleParts } from "../state/visible.js";

/**
 * A text that nobody vouches for, such as a model's output: always as text, apart from the writing direction around it,
 * with its control characters in sight.
 */
export function Visible({ text }: { text: string }) {
  return (
    <bdi class="text" dir="auto">
      {visibleParts(text).map((part, index) =>
        "text" in part ? (
          part.text
        ) : (
          <span key={index} class="control">
            {part.control}
          </span>
        ),
      )}
    </bdi>
  );
}
