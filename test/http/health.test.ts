import assert from "node:assert/strict";
import { test } from "node:test";
import { startHealth } from "../../src/http/health.ts";

test("a health check says that the process runs, and whether it takes work, and nothing else", async () => {
  let ready = false;
  const health = await startHealth({ host: "127.0.0.1", port: 0, ready: () => ready });
  const ask = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${health.port}${path}`, { method });
    return [response.status, await response.text()];
  };
  try {
    assert.deepEqual(await ask("/healthz"), [200, "ok\n"]);
    assert.deepEqual(await ask("/readyz"), [503, "not ready\n"]);
    ready = true;
    assert.deepEqual(await ask("/readyz?probe=1"), [200, "ready\n"]);
    assert.deepEqual(await ask("/readyz", "HEAD"), [200, ""]);
    assert.deepEqual(await ask("/"), [404, "not found\n"]);
    assert.deepEqual(await ask("/healthz", "POST"), [405, "method not allowed\n"]);
  } finally {
    await health.close();
  }
});

test("a port that is taken is an error at once", async () => {
  const health = await startHealth({ host: "127.0.0.1", port: 0, ready: () => true });
  try {
    await assert.rejects(startHealth({ host: "127.0.0.1", port: health.port, ready: () => true }), {
      code: "EADDRINUSE",
    });
  } finally {
    await health.close();
  }
});
