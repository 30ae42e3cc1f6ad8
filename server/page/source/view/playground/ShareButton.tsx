import { useState } from "preact/hooks";
import { writeFragment } from "../../state/fragment.js";
import type { Screen } from "../../state/screen.js";
import { useTexts } from "../../texts/texts.js";
import { copyText } from "../CopyButton.js";
import { useSession } from "../session.js";
import { replaceWithRead } from "../shared-links.js";

/** Puts what is on the playground into the address, and copies it. */
export function ShareButton({ screen }: { screen: Screen }) {
  const texts = useTexts();
  const { say } = useSession();
  const [said, setSaid] = useState("");
  const [isTooLong, setTooLong] = useState(false);
  const share = async () => {
    const fragment = await writeFragment(screen);
    setTooLong(fragment === null);
    if (fragment === null) return setSaid("");
    replaceWithRead(`#${fragment}`);
    const words = (await copyText(location.href)) ? texts.shared : texts.notCopied;
    setSaid(words);
    say(words);
  };
  return (
    <>
      <button
        type="button"
        title={said || undefined}
        onBlur={() => {
          setSaid("");
          setTooLong(false);
        }}
        onClick={() => void share()}
      >
        {said === "" ? "" : "✓ "}
        {texts.share}
      </button>
      {isTooLong && (
        <p class="failure" role="alert">
          {texts.shareTooLong}
        </p>
      )}
    </>
  );
}
