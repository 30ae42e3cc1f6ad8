import type { IRouter } from "express";
import type { ModelFolder } from "../../models/folder.js";
import { checkModel } from "../requests/openai/request.js";

/** The served model, in OpenAI's list of models. */
export function modelRoutes(app: IRouter, { config }: Pick<ModelFolder, "config">): void {
  const model = {
    id: config.name,
    object: "model",
    // The time of the server's start: a model folder doesn't say when it was made.
    created: Math.floor(Date.now() / 1000),
    owned_by: "jai-server",
    max_model_len: config.n_positions,
  };
  app.get("/v1/models", (_req, res) => {
    res.json({ object: "list", data: [model] });
  });
  app.get("/v1/models/:model", (req, res) => {
    checkModel(req.params.model, config.name);
    res.json(model);
  });
}
