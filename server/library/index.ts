/*
 * The exports of `import … from "jai-server"`. Their types may use only types of this folder, since the npm package
 * contains no other declarations.
 */
export { JaiError, type JaiErrorCode } from "./error.js";
export type { GenerateOptions, GenerateTimeouts, ResponseFormat } from "./generate-options.js";
export type { Choice, FinishReason, GenerateResult, Usage } from "./generate-result.js";
export type { GenerationStream, TextPiece } from "./generation-stream.js";
export {
  type ImportOptions,
  type ImportPhase,
  type ImportResult,
  importCheckpoint,
  type Quality,
} from "./import.js";
export type { Log } from "./log.js";
export { type Model, openModel } from "./model.js";
export type { ModelOptions } from "./model-options.js";
export { openServer, type Server } from "./server.js";
export type { ServerOptions } from "./server-options.js";
