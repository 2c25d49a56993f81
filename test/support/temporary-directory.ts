import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export async function temporaryDirectory(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "poolsync-test-"));
  // A server that is about to be stopped may write once more.
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 10 }) };
}
