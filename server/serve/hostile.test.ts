// Hostile requests to every operation: each gets a documented status. HOSTILE_SEED and HOSTILE_COUNT change which and
// how many.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Contract } from "../fixtures/contract.js";
import { exchange } from "../fixtures/exchange.js";
import { hostileRequests } from "../fixtures/hostile.js";
import { answerTo, serveStandIn } from "../fixtures/stand-in.js";
import type { Finished, Task } from "../pool/pool.js";

const seed = Number(process.env.HOSTILE_SEED ?? 11);
const count = Number(process.env.HOSTILE_COUNT ?? 2000);
const AT_ONCE = 8;

/** With the log-probabilities that the task asks for, which some answers are made of. */
function answer(task: Task): Finished {
  const { logprobs, promptLogprobs, maxTokens, promptIds } = task;
  const row = { id: 33, logprob: -1, top: [] };
  return {
    ...answerTo(task),
    ...(logprobs !== null && { logprobs: Array.from({ length: maxTokens }, () => row) }),
    ...(promptLogprobs && { promptLogprobs: promptIds.map((id, at) => (at === 0 ? null : { ...row, id })) }),
  };
}

test(`${count} hostile requests (seed ${seed}) get documented statuses, without a hang or a reset`, async (context) => {
  const { port, document, url } = await serveStandIn(context, { validateResponses: false, answer });
  const contract = new Contract(document);
  const statuses = new Map<number, number>();
  const requests = hostileRequests(document, seed);
  let sent = 0;
  const sendSome = async () => {
    while (sent++ < count) {
      const { operation, ...asked } = requests.next().value;
      const what = `${sent}: ${JSON.stringify(asked).slice(0, 500)}`;
      const { status, body } = await exchange(port, asked).catch((error) => assert.fail(`${what}: ${error}`));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      // A status of 500 is documented, but nothing here fails.
      assert.ok(status !== 500, `${what}: ${status} ${body.slice(0, 200)}`);
      const isKnown = contract.statuses(operation).includes(status) || status === 431;
      assert.ok(isKnown, `${what}: ${status} ${body.slice(0, 200)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendSome));
  context.diagnostic(JSON.stringify(Object.fromEntries(statuses)));
  assert.equal((await fetch(`${url}/health`)).status, 200);
  assert.ok(statuses.get(200)! > count / 20, "some of the requests are valid");
});
