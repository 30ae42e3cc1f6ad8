import { useId } from "preact/hooks";

/** A title that explains itself, when a pointer rests on it, when it is chosen by key, and to screen readers. */
export function Help({ title, help }: { title: string; help: string }) {
  const id = useId();
  return (
    <span class="help">
      <button type="button" class="help-title" aria-describedby={id}>
        {title}
      </button>
      <span id={id} role="tooltip" class="help-text">
        {help}
      </span>
    </span>
  );
}
