// The only module that loads OpenTelemetry's SDK. `tracing.ts` imports it once tracing is on.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { join } from "node:path";
import type { Tracer } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ConsoleSpanExporter,
  SimpleSpanProcessor,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import type { Log } from "../log.js";
import { packageRoot } from "../settings/config.js";
import { settlesWithin } from "../settles-within.js";
import type { Exporter } from "./settings.js";
import { ToldExporter } from "./told-exporter.js";

/** How long a stop waits for the last spans to be sent. */
const LAST_MS = 2000;

export interface Sdk {
  tracer: Tracer;
  /** Sends what is left, within two seconds. */
  close(): Promise<void>;
}

/**
 * Sets the SDK up for this server alone: it registers nothing globally, so that a program that embeds the server can have
 * an SDK of its own. The SDK reads the variables itself.
 */
export function openSdk(exporters: readonly Exporter[], target: string, log: Pick<Log, "warn">): Sdk {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  const processors: SpanProcessor[] = [];
  let agent: HttpAgent | null = null;
  let told: ToldExporter | null = null;
  if (exporters.includes("otlp")) {
    const httpAgentOptions = (protocol: string) => {
      agent = new (protocol === "https:" ? HttpsAgent : HttpAgent)({ keepAlive: true });
      return agent;
    };
    told = new ToldExporter(new OTLPTraceExporter({ httpAgentOptions }), target, log);
    processors.push(new BatchSpanProcessor(told));
  }
  if (exporters.includes("console")) processors.push(new SimpleSpanProcessor(new ConsoleSpanExporter()));
  const provider = new BasicTracerProvider({ spanProcessors: processors, resource: resource(version) });
  return {
    tracer: provider.getTracer("jai-server", version),
    close: async () => {
      // Lost spans have their line; there is nothing else to tell.
      await settlesWithin(
        LAST_MS,
        provider.shutdown().catch(() => {}),
      );
      told?.abandon();
      agent?.destroy();
    },
  };
}

function resource(version: string) {
  const own = {
    "service.name": "jai-server",
    "service.version": version,
    "service.instance.id": randomUUID(),
  };
  return defaultResource()
    .merge(resourceFromAttributes(own))
    .merge(detectResources({ detectors: [envDetector] }));
}
