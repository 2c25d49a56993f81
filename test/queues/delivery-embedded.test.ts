import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { openEngine } from "../../src/queues/engine.ts";
import { deliverySuite } from "../suites/delivery.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { putMadeDirectory } from "../support/made-directory.ts";

let restore: (() => void) | undefined;
before(() => {
  restore = exampleAws();
});
after(() => restore?.());

deliverySuite("delivery on the embedded engine", async () => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-delivery-"));
  const dataDir = join(directory, "data");
  putMadeDirectory(dataDir);
  const engine = await openEngine({ dataDir, namespace: "test", key: randomBytes(32) });
  return {
    engine,
    async close() {
      await engine.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});
