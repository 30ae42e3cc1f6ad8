import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { IRouter, RequestHandler } from "express";
import swaggerUi from "swagger-ui-express";
import type { Document } from "../http/document.js";
import { packageRoot } from "../settings/config.js";

/** Tells the browser that the pages load nothing from other hosts. */
const ownContentOnly: RequestHandler = (_req, res, next) => {
  res.set(
    "Content-Security-Policy",
    [
      "default-src 'self'",
      "style-src 'self' 'unsafe-inline'",
      "img-src 'self' data:",
      // ReDoc's search runs in a worker made from a blob.
      "worker-src blob:",
    ].join("; "),
  );
  next();
};

// Relative paths, so that the page also works under a proxy's path prefix.
const redocPage = `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>jai-server</title>
  <link rel="icon" href="data:,">
  <style>body { margin: 0; }</style>
</head>
<body>
  <redoc spec-url="openapi.json"></redoc>
  <script src="redoc/redoc.standalone.js"></script>
</body>
</html>
`;

/** Files that Swagger UI's page loads. */
const swaggerAssets = [
  "/docs/swagger-ui.css",
  "/docs/swagger-ui-bundle.js",
  "/docs/swagger-ui-standalone-preset.js",
  "/docs/swagger-ui-init.js",
  "/docs/favicon-32x32.png",
  "/docs/favicon-16x16.png",
];
const redocAsset = "/redoc/redoc.standalone.js";

/** Files that the pages load. They are served but not in openapi.yaml. */
export const pageAssets: readonly string[] = [...swaggerAssets, redocAsset];

/** Paths of the documentation, which need no key. */
export const openPages: readonly string[] = [
  "/docs",
  "/docs/",
  "/redoc",
  "/redoc/",
  "/openapi.json",
  ...pageAssets,
];

export function docsRoutes(app: IRouter, document: Document): void {
  const swaggerPage = swaggerUi
    .generateHTML(document, swaggerOptions)
    // Swagger UI's links assume that the page is at /docs/, but it is at /docs.
    .replaceAll('="./', '="docs/');
  app.get("/openapi.json", page("json", JSON.stringify(document)));
  app.get("/docs", ownContentOnly, page("html", swaggerPage));
  app.get("/docs/swagger-ui-init.js", page("application/javascript", swaggerInit()));
  app.use("/docs", swaggerUi.serve);
  app.get("/redoc", ownContentOnly, page("html", redocPage));
  app.get(redocAsset, (_req, res) => {
    redoc ??= readRedoc();
    res.set("Cache-Control", "public, max-age=86400").type("js").send(redoc);
  });
}

/** A page that is rendered once: all answers share its bytes, however many clients do not read them. */
function page(type: string, text: string): RequestHandler {
  const bytes = Buffer.from(text);
  return (_req, res) => {
    res.type(type).send(bytes);
  };
}

/** The script that Swagger UI's middleware would write anew for each request, about the last `generateHTML`. */
function swaggerInit(): string {
  let script = "";
  const [init] = swaggerUi.serve;
  const res = { set: () => res, send: (text: string) => (script = text) };
  init!({ url: "/swagger-ui-init.js" } as never, res as never, () => {});
  return script;
}

const swaggerOptions: swaggerUi.SwaggerUiOptions = {
  customSiteTitle: "jai-server",
  // The page opens on the operations: no bar above them, and little room for the introduction.
  customCss: `
    .swagger-ui .topbar { display: none }
    .swagger-ui .information-container .info { margin: 16px 0 0 }
    .swagger-ui .information-container .info .title { font-size: 24px }
    .swagger-ui .information-container .info__license, .swagger-ui .info .info__summary { display: none }
    .swagger-ui .scheme-container { margin: 0; padding: 8px 0; box-shadow: none; background: none }
    .swagger-ui .opblock-tag { padding: 8px 16px; font-size: 18px }
  `,
  // Off: the validator's badge would send this document's URL to swagger.io.
  swaggerOptions: {
    validatorUrl: null,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
  },
};

let redoc: Buffer | undefined;

/** ReDoc's bundle, without the logo that it would load from its maker's server. */
function readRedoc(): Buffer {
  const text = readFileSync(join(packageRoot, "server/assets/redoc.standalone.js"), "utf8");
  return Buffer.from(text.replaceAll("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,"));
}
