import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { attributesIn, createJournalReader, journaledLog } from "./journal.ts";

test("a journal is the writes of all lives, each numbered once, and what they left", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-journal-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "writes.jsonl");
  await writeFile(path, "");
  const write = (life: ReturnType<typeof journaledLog>, attributes: Record<string, string>): void =>
    life.append({ pool: "pool", username: "ann", sub: "ann-1", attributes, operation: "AdminUpdateUserAttributes" });
  const read = createJournalReader(path);
  const first = journaledLog(path);
  write(first, { given_name: "Ann", nickname: "A" });
  assert.equal((await read()).length, 1);
  const second = journaledLog(path);
  second.unheard(() => write(second, { given_name: "Anna", nickname: "" }));
  // A line that is being written is read when it is there.
  await appendFile(path, '{"at":1,"username":"bob",');
  assert.deepEqual(
    (await read()).map(({ seq, unheard }) => [seq, unheard]),
    [
      [1, undefined],
      [2, true],
    ],
  );
  await appendFile(path, '"attributes":{}}\n');
  assert.equal((await read()).at(-1)?.username, "bob");
  assert.deepEqual(Object.fromEntries(await attributesIn(path)), { ann: { given_name: "Anna" }, bob: {} });
});
