import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { openEmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { keptTextsSuite } from "../suites/kept-texts.ts";
import type { Opened } from "../suites/open-store.ts";
import { storeSuite } from "../suites/store.ts";

let root: string;
let count = 0;

/** The first opening of a directory takes seconds: each store has a copy of one that was opened before. */
before(async () => {
  root = await mkdtemp(join(tmpdir(), "poolsync-embedded-"));
  const store = await openEmbeddedStore({ dataDir: join(root, "empty") });
  await store.close();
});
after(() => rm(root, { recursive: true, force: true }));

/** A store in a directory of its own, whose clock is the test's to move. */
async function open(): Promise<Opened> {
  const dataDir = join(root, `store-${(count += 1)}`);
  await cp(join(root, "empty"), dataDir, { recursive: true, filter: (path) => !path.endsWith(".sock") });
  let nowMs = Date.now();
  const store = await openEmbeddedStore({ dataDir, now: () => nowMs });
  return {
    store,
    clock: { advance: (ms) => void (nowMs += Math.ceil(ms)) },
    close: () => store.close(),
  };
}

storeSuite("embedded", open, "moved");
keptTextsSuite("embedded", open, "moved");
