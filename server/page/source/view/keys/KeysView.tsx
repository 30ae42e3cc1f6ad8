import { useCallback, useState } from "preact/hooks";
import { useLanguage, useTexts } from "../../texts/texts.js";
import { spanOf } from "../../texts/time.js";
import { askJson } from "../../wire/api.js";
import { forgetKey, readKey } from "../../wire/key.js";
import { Failure } from "../Failure.js";
import { useSession } from "../session.js";
import { useLoaded } from "../use-loaded.js";
import { KeyField } from "./KeyField.js";
import { UsageTable } from "./UsageTable.js";
import type { Allowance, KeyUsage } from "./usage.js";

export function KeysView() {
  const texts = useTexts();
  const session = useSession();
  const [isChanging, setChanging] = useState(false);
  const load = useCallback(() => askJson<KeyUsage>("/v1/usage"), [session.generation]);
  const { value: usage, error, reload } = useLoaded(load);
  const forget = () => {
    forgetKey();
    session.keyChanged();
  };
  return (
    <div class="sheet">
      <div class="bar">
        <h2>{texts.usageTitle}</h2>
        <button type="button" onClick={reload}>
          {texts.refresh}
        </button>
        {readKey() !== "" && (
          <>
            <button type="button" aria-expanded={isChanging} onClick={() => setChanging(!isChanging)}>
              {texts.keyChange}
            </button>
            <button type="button" onClick={forget}>
              {texts.keyForget}
            </button>
          </>
        )}
      </div>
      {isChanging && <KeyField />}
      <Failure error={error} />
      {usage && (
        <>
          <p>
            <strong>
              <bdi>{usage.name}</bdi>
            </strong>{" "}
            · {texts.priority(usage.priority)}
            {usage.name === "anonymous" && !session.keyed && ` · ${texts.anonymous}`}
          </p>
          <h3>{texts.limits}</h3>
          <dl class="limits">
            {Object.entries(usage.limits).map(([name, allowance]) => (
              <Limit key={name} name={texts.limitNames[name] ?? name} allowance={allowance} />
            ))}
          </dl>
          <UsageTable usage={usage} />
        </>
      )}
    </div>
  );
}

function Limit({ name, allowance }: { name: string; allowance: Allowance | null }) {
  const texts = useTexts();
  const language = useLanguage();
  const number = new Intl.NumberFormat(language);
  if (allowance === null)
    return (
      <div>
        <dt>{name}</dt>
        <dd class="faint">{texts.noLimit}</dd>
      </div>
    );
  const { limit, remaining, reset_seconds: reset } = allowance;
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <meter min={0} max={limit} low={limit / 10} value={remaining} aria-label={name} />
        <span>
          {texts.left(number.format(remaining), number.format(limit))}
          {reset !== null && reset > 0 && ` · ${texts.fullAgain(spanOf(reset, language))}`}
        </span>
      </dd>
    </div>
  );
}
