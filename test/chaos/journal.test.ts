import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { seedOf } from "./accounts.ts";
import { accountsIn, createJournalReader, journaledLog } from "./journal.ts";

test("a journal is the writes of all lives, each numbered once, and what they left", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-journal-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "writes.jsonl");
  await writeFile(path, "");
  const ann = seedOf("ann", 0);
  const write = (life: ReturnType<typeof journaledLog>, attributes: Record<string, string>): void =>
    life.append({ pool: "pool", username: "ann", sub: ann.sub, attributes, operation: "AdminUpdateUserAttributes" });
  const read = createJournalReader(path);
  const first = journaledLog(path);
  write(first, { given_name: "Ann", nickname: "A" });
  assert.equal((await read()).length, 1);
  const second = journaledLog(path);
  second.unanswered(() => write(second, { given_name: "Anna", nickname: "" }));
  // A line that is being written is read when it is there.
  await appendFile(path, '{"at":1,"username":"bob",');
  assert.deepEqual(
    (await read()).map(({ seq, unanswered }) => [seq, unanswered]),
    [
      [1, undefined],
      [2, true],
    ],
  );
  await appendFile(path, '"attributes":{}}\n');
  assert.equal((await read()).at(-1)?.username, "bob");
  const [there] = await accountsIn(path, [ann]);
  assert.deepEqual(Object.fromEntries(there?.attributes ?? []), { given_name: "Anna" });
});

test("a journal knows who was deleted and made anew, and who took whose address", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-journal-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "writes.jsonl");
  await writeFile(path, "");
  const mailed = { email: "it@example.com", email_verified: "true" };
  const [ann, bob] = [seedOf("ann", 0, mailed), seedOf("bob", 0)];
  const life = journaledLog(path);
  const append = (username: string, sub: string, operation: string, attributes: Record<string, string> = {}): void =>
    life.append({ pool: "pool", username, sub, attributes, operation });
  append("bob", bob.sub, "AdminUpdateUserAttributes", mailed);
  const flags = (await accountsIn(path, [ann, bob])).map(({ attributes }) => attributes.get("email_verified"));
  assert.deepEqual(flags, ["false", "true"]);
  append("bob", bob.sub, "AdminDeleteUser");
  append("bob", "another", "AdminCreateUser", { given_name: "Bob" });
  const subs = (await accountsIn(path, [ann, bob])).map(({ sub }) => sub);
  assert.deepEqual(subs, [ann.sub, "another"]);
  const writes = await createJournalReader(path)();
  assert.deepEqual(
    writes.map(({ deed, others }) => [deed, others]),
    [
      [undefined, undefined],
      ["deleted", true],
      ["made", true],
    ],
  );
});
