import { useState } from "preact/hooks";
import { useTexts } from "../texts/texts.js";
import { useSession } from "./session.js";

/** Puts a text on the clipboard. @returns whether the browser let it */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The old way, for pages that are not from a secure origin, such as another machine's over HTTP. */
function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  // Inside an open dialog, since nothing outside can take the focus.
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  const { activeElement } = document;
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (activeElement instanceof HTMLElement) activeElement.focus();
  return isCopied;
}

interface Props {
  /** Of what; for screen readers. */
  label?: string;
  text: () => string;
}

export function CopyButton({ text, label }: Props) {
  const texts = useTexts();
  const { say } = useSession();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    if (!(await copyText(text()))) return;
    setCopied(true);
    say(texts.copied);
  };
  return (
    <button
      type="button"
      class="quiet"
      aria-label={label && `${texts.copy}: ${label}`}
      onBlur={() => setCopied(false)}
      onClick={() => void copy()}
    >
      {isCopied ? "✓ " : ""}
      {texts.copy}
    </button>
  );
}
