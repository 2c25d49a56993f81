/** What is said of a run that is not there, where no process has noted that it was forgotten. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { whyForgotten } from "../../src/app/runs/forgotten-runs.ts";
import { findRun } from "../../src/app/runs/find-run.ts";
import { freshRunId } from "../../src/app/runs/run-id.ts";
import { setApp } from "../support/app-stage.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { openMemoryStore } from "../support/memory-store.ts";

const AGAIN = /What of it was not sent by then is not sent: give the same sync again\.$/;

const saidOf = (id: string, since: number | undefined): Promise<string> =>
  whyForgotten({ runs: openMemoryStore().store.runs, since }, id);

test("a store that is younger than the run says since when it is there, and what to do", async () => {
  const id = freshRunId();
  const why = await saidOf(id, Date.now() + 1000);
  assert.match(why, /^ The store is there only since \d{4}-.*Z, which is later than such a run: it was emptied/);
  assert.match(why, AGAIN);
});

test("a data directory that was made anew says so of a run of the former one", async (t) => {
  const app = await setApp(t, { putData: putMadeDirectory });
  await assert.rejects(findRun(await app.open(), "r-mk000000-abcdef"), {
    kind: "no-run",
    message: /The store is there only since \d{4}-.*Z, which is later than such a run.*give the same sync again/,
  });
});

test("a store that is older than the run says since when it is there, and where else the run may be", async () => {
  const why = await saidOf(freshRunId(), 0);
  assert.match(why, /^ The store is there since 1970-01-01T00:00:00\.000Z\. Where the id is right, .*REDIS_URL/);
  assert.match(why, AGAIN);
});

test("a store that does not know its own age says where else the run may be", async () => {
  const why = await saidOf(freshRunId(), undefined);
  assert.match(why, /^ Where the id is right, .*keepRuns.*has lost it\./);
  assert.match(why, AGAIN);
});

test("of what is no id of a run, or of a run that nobody can have begun yet, nothing more is said", async () => {
  for (const id of ["mistyped", "direct:pool", "r-zzzzzzzz-000000"]) assert.equal(await saidOf(id, 0), "");
});
