import type { IRouter, Request, RequestHandler, Response } from "express";
import type { Forms } from "../forms/forms.js";
import { quote } from "../http/quote.js";
import { requestId } from "../http/request-id.js";
import { summaryOf } from "../http/summarize.js";
import { callerOf } from "../keys/authenticate.js";
import type { Log } from "../log.js";
import type { Outcome, Task } from "../pool/pool.js";
import type { Queue } from "../queue/queue.js";
import type { Standing } from "../queue/ticket.js";
import { Generation } from "../requests/generation.js";
import type { Operation } from "../requests/operation.js";
import type { EventStreamOptions } from "../streams/event-response.js";
import { EventStream } from "../streams/event-stream.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import type { Texts } from "../texts/texts.js";
import { Turns } from "../turns.js";

export interface GenerateParts {
  operations: readonly Operation[];
  queue: Queue<Task, Outcome>;
  forms: Pick<Forms, "check">;
  texts: Pick<Texts, "reader">;
  telemetry: Telemetry;
  log: Log;
  streams?: EventStreamOptions | undefined;
}

interface AnswerParts extends Omit<GenerateParts, "operations"> {
  /** Takes turns, since many short prompts together would block the thread for long. */
  preparing: Turns;
}

/** Routes of all generating operations. The answer comes when the text is complete, or as a stream. */
export function generateRoutes(app: IRouter, { operations, ...others }: GenerateParts): void {
  const parts = { ...others, preparing: new Turns() };
  for (const operation of operations) app.post(operation.path, answer(operation, parts));
}

function answer(operation: Operation, parts: AnswerParts): RequestHandler {
  const { queue, forms, texts, telemetry, log, streams, preparing } = parts;
  return async (req: Request, res: Response): Promise<void> => {
    const { socket } = req;
    const id = requestId(res);
    const summary = summaryOf(res);
    summary.quote = quote(req.body as object, log);
    log.debug(`${id} - ${req.path}${summary.quote}`, { id, path: req.path });
    let generation: Generation | null = null;
    // Listens on the socket: a response closes at its own end too.
    const leave = () => generation?.cancel();
    // No warning for many listeners: a client may pipeline as many requests as the queue has places.
    socket.setMaxListeners(0);
    socket.once("close", leave);
    try {
      const request = operation.parse(req.body as object);
      generation = new Generation({ queue, forms, texts, request, id, caller: callerOf(res) });
      Object.assign(summary, { generation: generation.summary, stream: request.stream, body: req.body });
      if (socket.destroyed) leave();
      const taken = generation;
      const prepared = await preparing.take(() => taken.prepare());
      let events: EventStream | null = null;
      let standing: Standing | null = null;
      const milestones = telemetry.milestonesOf(summary);
      const running = generation.run(
        request.stream
          ? {
              milestones,
              onStanding: (now) => {
                standing = now;
                events?.queue(now);
              },
              onDelta: (sequence, delta) => events?.delta(sequence, delta),
              onEnd: (sequence, outcome) => events?.end(sequence, outcome),
            }
          : { milestones },
      );
      summary.over = generation.over;
      res.set("X-Queue-Position", String(generation.position));
      if (request.stream) {
        // The headers are sent now, so only a time of 0 is known yet.
        if (generation.position === 0) res.set("X-Queue-Time", "0.000");
        events = new EventStream(res, prepared.events(), streams);
        // `onStanding` was called when the tasks were queued, before there was a stream.
        if (standing) events.queue(standing);
      }
      const result = await running;
      const whole = prepared.answer(result.outcomes);
      if (events) events.finish(whole);
      else res.set("X-Queue-Time", (result.queueMs / 1000).toFixed(3)).json(whole);
    } catch (error) {
      leave();
      throw error;
    } finally {
      socket.off("close", leave);
    }
  };
}
