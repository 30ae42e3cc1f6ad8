import assert from "node:assert/strict";
import { test } from "node:test";
import { expressPath, PathTable } from "./paths.js";

function tableOf(...paths: string[]): PathTable<string> {
  const table = new PathTable<string>();
  for (const path of paths) table.set(path, path);
  return table;
}

test("a template's parameter matches exactly one path segment, never an empty one", () => {
  const table = tableOf("/jobs", "/jobs/{id}", "/jobs/{id}/events");
  for (const [path, found] of [
    ["/jobs", "/jobs"],
    ["/jobs/", undefined],
    ["/jobs/1", "/jobs/{id}"],
    ["/jobs/a%2Fb", "/jobs/{id}"],
    ["/jobs/1/", undefined],
    ["/jobs/1/events", "/jobs/{id}/events"],
    ["/jobs//events", undefined],
    ["/jobs/1/2/events", undefined],
    ["/x/jobs/1", undefined],
  ] as const)
    assert.equal(table.get(path), found, path);
});

test("an exact path comes before a template, and its special characters are literal", () => {
  const table = tableOf("/a/{id}", "/a/b", "/c.d/{id}");
  assert.equal(table.get("/a/b"), "/a/b");
  assert.equal(table.get("/c.d/1"), "/c.d/{id}");
  assert.equal(table.get("/cxd/1"), undefined);
});

test("a template is rewritten for Express", () => {
  assert.equal(expressPath("/jobs/{id}/events"), "/jobs/:id/events");
});
