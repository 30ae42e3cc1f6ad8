// A collector for tests: receives OTLP over HTTP, and parses its protobuf by OpenTelemetry's definitions.
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import protobuf from "protobufjs";

/** The part of opentelemetry/proto/trace/v1 and common/v1 that spans use, with its field numbers. */
const definitions = `
syntax = "proto3";
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message Scope { string name = 1; string version = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
  int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9; repeated Event events = 11; Status status = 15;
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Status { string message = 2; int32 code = 3; }
}
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
    ArrayValue array_value = 5;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
`;
const requestType = protobuf.parse(definitions).root.lookupType("ExportTraceServiceRequest");

export type Value = string | number | boolean | Value[];

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parentId: string;
  traceState: string;
  name: string;
  kind: number;
  /** Milliseconds since 1970. */
  start: number;
  /** Milliseconds. */
  duration: number;
  attributes: Record<string, Value>;
  events: { name: string; at: number }[];
  /** 0 unset, 1 ok, 2 error. */
  status: { code: number; message: string };
  resource: Record<string, Value>;
}

export class Receiver {
  readonly spans: ReceivedSpan[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  /** What to answer with. */
  status = 200;
  readonly #server: Server;
  #received = () => {};

  private constructor() {
    this.#server = createServer(async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      this.headers.push({ ...req.headers, ":path": req.url });
      res.writeHead(this.status, { "content-type": "application/x-protobuf" }).end();
      if (this.status === 200)
        this.spans.push(...spansOf(req.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body));
      this.#received();
    });
  }

  static async open(port = 0): Promise<Receiver> {
    const receiver = new Receiver();
    receiver.#server.listen(port, "127.0.0.1");
    await once(receiver.#server, "listening");
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when what was received fulfils a condition. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition())
      await new Promise<void>((resolve) => {
        this.#received = resolve;
      });
  }

  /** Resolves to the first span that fits. */
  async span(fits: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
    await this.until(() => this.spans.some(fits));
    return this.spans.find(fits)!;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a decoded message
type Decoded = any;

function spansOf(body: Uint8Array): ReceivedSpan[] {
  const { resourceSpans = [] }: Decoded = requestType.toObject(requestType.decode(body), { defaults: true });
  return resourceSpans.flatMap(({ resource, scopeSpans }: Decoded) =>
    scopeSpans.flatMap(({ spans }: Decoded) =>
      spans.map((span: Decoded) => ({
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentId: hex(span.parentSpanId),
        traceState: span.traceState,
        name: span.name,
        kind: span.kind,
        start: nanos(span.startTimeUnixNano) / 1e6,
        duration: nanos(span.endTimeUnixNano.sub(span.startTimeUnixNano)) / 1e6,
        attributes: record(span.attributes),
        events: span.events.map((event: Decoded) => ({
          name: event.name,
          at: nanos(event.timeUnixNano.sub(span.startTimeUnixNano)) / 1e6,
        })),
        status: { code: span.status?.code ?? 0, message: span.status?.message ?? "" },
        resource: record(resource.attributes),
      })),
    ),
  );
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const nanos = (long: { toNumber(): number }) => long.toNumber();
const record = (pairs: Decoded[]) => Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]));

function plain(value: Decoded): Value {
  if (value.arrayValue != null) return value.arrayValue.values.map(plain);
  if (value.intValue != null) return value.intValue.toNumber();
  return value.stringValue ?? value.boolValue ?? value.doubleValue;
}
