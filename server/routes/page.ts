import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { IRouter, Request, Response } from "express";
import { packageRoot } from "../settings/config.js";

/** A built file, as it is and compressed. All responses share the bytes. */
interface PageFile {
  readonly name: string;
  readonly plain: Buffer;
  readonly br: Buffer;
  readonly gzip: Buffer;
}

export interface Page {
  /** Null if the page is not built: then browsers get the JSON, too. */
  readonly document: PageFile | null;
  /** What the page loads, by path: scripts, styles, the icon. Their names have hashes of their contents. */
  readonly files: ReadonlyMap<string, PageFile>;
}

/** The page runs its own files and asks its own server, and nothing else; no text can become code. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** @param folder the output of `server/page/vite.config.ts` */
export function readPage(folder = join(packageRoot, "dist/page")): Page {
  if (!existsSync(join(folder, "index.html"))) return { document: null, files: new Map() };
  const names = readdirSync(join(folder, "page")).filter((name) => !/\.(br|gz)$/.test(name));
  return {
    document: readFile(folder, "index.html"),
    files: new Map(names.map((name) => [`/page/${name}`, readFile(join(folder, "page"), name)])),
  };
}

function readFile(folder: string, name: string): PageFile {
  const read = (ending: string) => readFileSync(join(folder, name + ending));
  return { name, plain: read(""), br: read(".br"), gzip: read(".gz") };
}

/** Mounts `GET /`, for browsers the page and for programs a line of JSON, and the page's files. */
export function pageRoutes(app: IRouter, { document, files }: Page): void {
  app.get("/", (req, res) => {
    res.vary("Accept");
    // Of equals, the first: a client that accepts anything is a program.
    if (document === null || req.accepts(["json", "html"]) !== "html") {
      res.json({ status: "ok", message: "jai-server is running" });
      return;
    }
    res.set({ "Content-Security-Policy": POLICY, "Cache-Control": "no-cache" });
    send(req, res, document);
  });
  for (const [path, file] of files)
    app.get(path, (req, res) => {
      res.set("Cache-Control", "public, max-age=31536000, immutable");
      send(req, res, file);
    });
}

/** Sends the smallest form that the client accepts. */
function send(req: Request, res: Response, file: PageFile): void {
  res.vary("Accept-Encoding").type(file.name);
  // One at a time: of several that are as welcome, `acceptsEncodings` takes the client's first, not the smallest.
  const encoding = (["br", "gzip"] as const).find((name) => req.acceptsEncodings(name) === name);
  if (encoding) res.set("Content-Encoding", encoding);
  res.send(encoding ? file[encoding] : file.plain);
}
