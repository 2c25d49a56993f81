import assert from "node:assert/strict";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { openInput, type FeedOptions } from "../../src/app/feeds/feed-input.ts";
import { readConfigFile } from "../../src/config/config-file.ts";
import { withScope } from "../../src/lifecycle.ts";

describe("the as-of of a feed's file", () => {
  const MODIFIED = Date.parse("2026-01-31T12:00:00Z");
  let directory = "";
  let file = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "poolsync-age-"));
    file = join(directory, "export.csv");
    await writeFile(file, "id,n\nana,Ana\n");
    await utimes(file, MODIFIED / 1000, MODIFIED / 1000);
  });
  after(() => rm(directory, { recursive: true, force: true }));

  async function asOf(said: string, flags: FeedOptions = {}, now = MODIFIED + 1000): Promise<number> {
    const yaml = join(directory, "poolsync.yaml");
    const feed = `{ pool: eu-west-1_A, username: id, attributes: { given_name: n }, ${said} }`;
    await writeFile(yaml, `feeds: { hr: ${feed} }\n`);
    const read = await readConfigFile(yaml, { needed: true });
    assert.deepEqual(read.problems, []);
    const setting = read.file?.feeds["hr"];
    assert.ok(setting);
    return withScope(async (scope) => {
      const input = await openInput(file, {
        flags,
        feed: { name: "hr", setting },
        spoolDir: directory,
        stdin: Readable.from([]),
        now: () => now,
        scope,
        signal: new AbortController().signal,
      });
      return input.asOfMs;
    });
  }

  test("is the file's time less `snapshotAge`, unless it is said", async () => {
    assert.equal(await asOf(""), MODIFIED);
    assert.equal(await asOf("snapshotAge: 1h"), MODIFIED - 3_600_000);
    assert.equal(await asOf("snapshotAge: 1h", { asOf: "2026-01-01T00:00:00Z" }), Date.parse("2026-01-01T00:00:00Z"));
  });

  test("is refused of a file from the future, however old it may be then, unless it is said", async () => {
    const future = MODIFIED - 6 * 60_000;
    const wrong = { kind: "configuration", message: /was modified in the future \(2026-01-31T12:00:00\.000Z\)/ };
    await assert.rejects(asOf("snapshotAge: 1h", {}, future), wrong);
    assert.equal(await asOf("snapshotAge: 1h", { asOf: "2026-01-01T00:00:00Z" }, future), 1_767_225_600_000);
    assert.equal(await asOf("snapshotAge: 1h", {}, MODIFIED - 60_000), MODIFIED - 3_600_000);
  });

  test("is demanded of a file that is given to a feed of events, which might take their values back", async () => {
    await assert.rejects(asOf("events: { scheme: none }"), {
      kind: "configuration",
      message: /feeds\.hr\.snapshotAge: Expected a `version` column, or `snapshotAge: 1h`.*; or say --as-of$/,
    });
    assert.equal(await asOf("events: { scheme: none }, snapshotAge: 1m"), MODIFIED - 60_000);
    assert.equal(await asOf("events: { scheme: none }, version: n"), MODIFIED);
    assert.equal(await asOf("events: { scheme: none }", { asOf: "2026-01-01T00:00:00Z" }), 1_767_225_600_000);
  });
});
