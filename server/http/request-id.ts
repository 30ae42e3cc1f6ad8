import { randomUUID } from "node:crypto";
import type { RequestHandler, Response } from "express";

/** Gives every request an id, sent as `X-Request-Id` with any answer and shown in the log. */
export function giveRequestId(): RequestHandler {
  return (_req, res, next) => {
    const id = randomUUID();
    (res.locals as Locals).id = id;
    res.set("X-Request-Id", id);
    next();
  };
}

export function requestId(res: Response): string {
  return (res.locals as Locals).id;
}

interface Locals {
  id: string;
}
