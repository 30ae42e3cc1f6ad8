import type { IRouter } from "express";
import { callerOf } from "../keys/authenticate.js";
import type { Callers } from "../keys/callers.js";
import { StatusBoard, type StatusParts } from "../live/status.js";
import { Watchers, type WatchersParts } from "../live/watchers.js";
import type { EventStreamOptions } from "../streams/event-response.js";

export interface StatusRoutesParts extends StatusParts {
  callers: Callers;
  streams?: EventStreamOptions | undefined;
  watching?: WatchersParts["watching"];
}

/** What the server does now, once or every second. */
export function statusRoutes(app: IRouter, parts: StatusRoutesParts): void {
  const { live, callers, streams, watching } = parts;
  const board = new StatusBoard(parts);
  const watchers = new Watchers({ live, callers, board, streams, watching });
  app.get("/status", (_req, res) => {
    res.set("Cache-Control", "no-store").json(board.shared(callerOf(res)));
  });
  app.get("/status/events", (req, res) => {
    // Express routes HEAD here too, but its answer would have no end: a HEAD has no stream to follow.
    if (req.method === "HEAD") return void res.type("text/event-stream").end();
    watchers.add(res);
  });
}
