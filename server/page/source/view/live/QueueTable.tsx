import { useLiveTexts } from "../../texts/live/live.js";
import { numbersIn } from "../../texts/live/numbers.js";
import { useLanguage } from "../../texts/texts.js";
import type { Status, WaitingRequest } from "../../wire/status.js";
import { useSession } from "../session.js";

/** Who waits, in the order in which they will start. */
export function QueueTable({ queue: { requests, more } }: { queue: Status["queue"] }) {
  const texts = useLiveTexts();
  const { count } = numbersIn(useLanguage());
  const columns = [
    texts.position,
    texts.caller,
    texts.priority,
    texts.sequences,
    texts.waited,
    texts.expectedStart,
  ];
  return (
    <section class="panel" aria-labelledby="queue-title">
      <h2 id="queue-title">{texts.queue}</h2>
      {requests.length === 0 ? (
        <p class="empty">{texts.noQueue}</p>
      ) : (
        // Reached by keys, since it scrolls.
        <section class="scroll queue-list" tabIndex={0} aria-label={texts.queue}>
          <table class="queue">
            <thead>
              <tr>
                {columns.map((title) => (
                  <th key={title} scope="col">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {requests.map((request) => (
                <Row key={request.position} {...request} />
              ))}
            </tbody>
          </table>
          {more > 0 && <p class="faint">{texts.andMore(count(more))}</p>}
        </section>
      )}
    </section>
  );
}

function Row({ position, caller, own, priority, sequences, waited, expected_wait: wait }: WaitingRequest) {
  const texts = useLiveTexts();
  const { count, long } = numbersIn(useLanguage());
  // Without keys all requests are everybody's.
  const isMarked = useSession().keyed && own;
  return (
    <tr class={isMarked ? "own" : undefined}>
      <th scope="row">{count(position)}</th>
      <td class="caller">
        {caller === null ? <i>{texts.anotherCaller}</i> : <bdi>{caller}</bdi>}{" "}
        {isMarked && <span class="state">{texts.you}</span>}
      </td>
      <td>{count(priority)}</td>
      <td>{count(sequences)}</td>
      <td>{long(waited)}</td>
      <td>{wait === null ? texts.unknownStart : long(Math.ceil(wait))}</td>
    </tr>
  );
}
