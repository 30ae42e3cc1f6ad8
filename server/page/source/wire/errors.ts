/** No response: the network or the server is away. */
export class OfflineError extends Error {}

/** A response that says what is wrong. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** The code of OpenAI's errors; empty outside /v1. */
    readonly code: string,
    /** The field that is wrong, if the error names one. */
    readonly field: string | null,
    /** Seconds, from `Retry-After`. */
    readonly retryAfter: number | null,
  ) {
    super(message);
  }

  static async of(response: Response): Promise<ApiError> {
    const text = await response.text().catch(() => "");
    const { message, code, field } = readBody(text, response.statusText);
    const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
    return new ApiError(response.status, message, code, field, Number.isNaN(seconds) ? null : seconds);
  }
}

interface Told {
  message: string;
  code: string;
  field: string | null;
}

/** Reads OpenAI's `{error}`, FastAPI's `{detail}` with a text or a list, or whatever a proxy in between says. */
function readBody(text: string, otherwise: string): Told {
  const nothing = { message: otherwise, code: "", field: null };
  try {
    const { error, detail } = JSON.parse(text) as { error?: Partial<OpenAiError>; detail?: unknown };
    if (error) return { message: String(error.message), code: error.code ?? "", field: error.param ?? null };
    if (typeof detail === "string") return { ...nothing, message: detail };
    if (!Array.isArray(detail)) return nothing;
    const findings = detail as { loc?: unknown[]; msg?: string }[];
    const messages = findings.map(({ loc, msg }) => `${loc?.slice(1).join(".") ?? ""}: ${msg}`);
    return { ...nothing, message: messages.join(" "), field: String(findings[0]?.loc?.[1] ?? "") || null };
  } catch {
    return nothing;
  }
}

interface OpenAiError {
  message: string;
  code: string | null;
  param: string | null;
}
