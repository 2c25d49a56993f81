/** "Why has this person's department not changed?": one situation a test, each with the sentence that a person needs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Settlement } from "../../src/core/settlement.ts";
import { discardLetters } from "../../src/app/letters/discard-letters.ts";
import { exceptionText } from "../../src/app/users/reasons.ts";
import { setApp, type App } from "../support/app-stage.ts";
import { byHand, POOL } from "../support/pool-stage.ts";

interface Situation {
  readonly title: string;
  /** Also the first word of its files' names. */
  readonly who: string;
  /** Those who have no user in the pool. */
  readonly absent?: true;
  readonly act?: (app: App, who: string) => Promise<unknown>;
  readonly says: RegExp;
}

const AT = String.raw`\d{4}-\d\d-\d\dT\S+Z`;
const pattern = (text: string): RegExp =>
  new RegExp(
    text
      .replaceAll("RUN", String.raw`run r-\S+`)
      .replaceAll("AT", AT)
      .replaceAll("ID", "[0-9a-f]{32}"),
  );

/** A file of one person, as of a day of January. */
async function sync(app: App, who: string, row: string, day = 1, columns = "nickname"): Promise<string> {
  const rows = row.split("\n").map((values) => `${who},${values}`);
  const file = await app.file(`username,${columns}\n${rows.join("\n")}\n`, `${who}.csv`);
  const asOf = `2026-01-0${day}T00:00:00Z`;
  const { stopped, summaries } = await app.trySync([file], { asOf, verified: "ask" });
  assert.deepEqual(stopped, []);
  return summaries[0]?.run ?? "";
}

const named = (attribute: string, value: string): Record<string, string> => ({ [attribute]: value });

/** Claims what waits of the user, and settles it so. */
async function claim(app: App, who: string, settled?: (version: string) => Settlement): Promise<void> {
  const { store, keyring } = await app.open();
  const user = keyring.userKey(POOL, who);
  const claimed = await store.mailboxes.claim(user, `token of ${who}`, 60_000);
  assert.ok(claimed.is === "claimed");
  if (settled === undefined) return;
  const settlement = settled(claimed.units["nickname"]?.version ?? "");
  await store.mailboxes.settle(user, `token of ${who}`, { nickname: settlement }, 60_000);
}

const SITUATIONS: readonly Situation[] = [
  {
    title: "nobody ever asked for anything",
    who: "anna",
    says: pattern(
      String.raw`^poolsync knows of no change of this user: none waits, was written or was refused\. What a cancelled run had put leaves nothing here\.$`,
    ),
  },
  {
    title: "a file's value was written, and is there",
    who: "bela",
    act: (app, who) => sync(app, who, "Bel,de", 1, "nickname,locale"),
    says: pattern(
      "^Nothing waits, and what poolsync wrote last is there\\. (`nickname`, `locale`|`locale`, `nickname`) were written at AT by RUN of bela\\.csv\\.$",
    ),
  },
  {
    title: "the pool had it already",
    who: "cora",
    act: async (app, who) => {
      await byHand(app.emulator, who, named("nickname", "Cor"));
      await sync(app, who, "Cor");
    },
    says: pattern("^Nothing waits\\. `nickname` was found as wanted at AT by RUN of cora\\.csv, without a call\\.$"),
  },
  {
    title: "later files found there what an earlier one had written",
    who: "cleo",
    act: async (app, who) => {
      await sync(app, who, "Cle", 1);
      await sync(app, who, "Cle", 2);
      await sync(app, who, "Cle", 3);
    },
    says: pattern(
      "^Nothing waits, and what poolsync wrote last is there\\. `nickname` was found as wanted at AT by RUN of cleo\\.csv, without a call \\(poolsync wrote it last at AT, by RUN of cleo\\.csv\\)\\.$",
    ),
  },
  {
    title: "somebody else has changed it since",
    who: "dora",
    act: async (app, who) => {
      await sync(app, who, "Dor");
      await byHand(app.emulator, who, named("nickname", "Else"));
    },
    says: pattern(
      "^`nickname` was written at AT by RUN of dora\\.csv\\. The pool holds another `nickname` than poolsync wrote last: somebody else has changed it since\\.$",
    ),
  },
  {
    title: "the value is too long, and the one before it is there",
    who: "emil",
    act: async (app, who) => {
      await sync(app, who, "Em");
      await sync(app, who, "x".repeat(3_000), 2);
    },
    says: pattern(
      "^`nickname` was not written \\(invalid: too-long\\), at AT, line 2 of RUN of emil\\.csv\\. It is longer than .*schema\\. `nickname` was written at AT by RUN of emil\\.csv, and is there\\.$",
    ),
  },
  {
    title: "two rows of a file disagree",
    who: "finn",
    act: (app, who) => sync(app, who, "One\nTwo"),
    says: pattern(
      "^`nickname` was not written \\(disagreeing: rows-disagree\\), at AT, line 3 of RUN of finn\\.csv\\. Expected",
    ),
  },
  {
    title: "the file is older than what was written",
    who: "gina",
    act: async (app, who) => {
      await sync(app, who, "New", 2);
      await sync(app, who, "Old", 1);
    },
    says: pattern(
      "^`nickname` was not written \\(stale\\), at AT, line 2 of RUN of gina\\.csv\\. Something newer was there before: .*`--as-of`\\. What is newer is as of 2026-01-02T00:00:00\\.000Z\\. `nickname` was written",
    ),
  },
  {
    title: "its dead letter was discarded",
    who: "gwen",
    absent: true,
    act: async (app, who) => {
      await sync(app, who, "Gw");
      const engine = await app.open();
      const until = (await engine.store.now()) + 1;
      await discardLetters(engine, { filters: [{ user: engine.keyring.userKey(POOL, who) }], until, dryRun: false });
    },
    says: pattern(
      "`nickname` was put by RUN of gwen\\.csv, became a dead letter \\(user-not-found\\), and was discarded at AT: put it again where it is wanted\\.$",
    ),
  },
  {
    title: "an older file says what a newer one had written",
    who: "greg",
    act: async (app, who) => {
      await sync(app, who, "Same", 2);
      await sync(app, who, "Same", 1);
    },
    says: pattern(
      "^Nothing waits, and what poolsync wrote last is there\\. `nickname` was written at AT by RUN of greg",
    ),
  },
  {
    title: "eight equal letters are one paragraph",
    who: "hugo",
    absent: true,
    act: async (app, who) => {
      for (let time = 1; time <= 8; time += 1) await app.update(who, { nickname: "Hu" });
    },
    says: pattern(
      "`nickname` is a dead letter, ID \\(user-not-found\\), buried 8 times, first at AT, last at AT, put by a single change\\. Create the user(?!.*dead letter, )",
    ),
  },
  {
    title: "another user has the address",
    who: "ines",
    act: async (app, who) => {
      app.pool.addUser({ username: "owner", attributes: { email: "taken@example.com", email_verified: "true" } });
      await app.update(who, { email: "taken@example.com" }, { verified: "mark" });
    },
    says: pattern(
      "^`email` is a dead letter, ID \\(alias-exists\\), buried at AT, put by a single change\\. User ID had it\\. ",
    ),
  },
  {
    title: "a letter was overtaken by a newer value",
    who: "jana",
    absent: true,
    act: async (app, who) => {
      await sync(app, who, "Old", 1);
      app.pool.addUser({ username: who });
      await sync(app, who, "New", 2);
    },
    says: pattern(
      "^`nickname` is a dead letter, ID .*\\. A newer value came after it: discard the letter\\. `nickname` was written at AT by RUN of jana\\.csv, and is there\\.$",
    ),
  },
  {
    title: "it waits for a worker",
    who: "karl",
    act: (app, who) => app.queue(who, { nickname: "Karlo" }),
    says: pattern(
      "^What is pending is delivered by a worker.*`nickname` waits as K\\*\\*\\*, put by a single change, as of AT\\.$",
    ),
  },
  {
    title: "it was tried, and is tried again later",
    who: "lena",
    act: async (app, who) => {
      await app.queue(who, { nickname: "Lenna" });
      await claim(app, who, (version) => ({
        is: "retry",
        version,
        at: 3_600_000,
        counts: "attempt",
        fateUnknown: false,
      }));
    },
    says: pattern("`nickname` waits as L\\*\\*\\*.* `nickname` failed once, and is tried again at AT\\."),
  },
  {
    title: "a process is at it",
    who: "mara",
    act: async (app, who) => {
      await app.queue(who, { nickname: "Marra" });
      await claim(app, who);
    },
    says: pattern("^A process has the user in hand\\. `nickname` waits as M\\*\\*\\*"),
  },
  {
    title: "somebody has paused its feed",
    who: "nora",
    act: async (app, who) => {
      const file = await app.file(`username,nickname\n${who},Norra\n`, "nora.csv");
      await app.sync(file, { detached: true });
      await app.pause({ feed: "nora.csv" }, { by: "zofia@desk", reason: "HR checks it" });
    },
    says: pattern(
      "^Feed nora\\.csv has been paused since AT by zofia@desk: HR checks it\\..* Until then 1 change of this user is kept\\. `nickname` waits as N\\*\\*\\*, put by RUN of nora\\.csv",
    ),
  },
  {
    title: "nobody heard what became of a call",
    who: "otto",
    act: async (app, who) => {
      const operation = "AdminUpdateUserAttributes";
      app.emulator.faults.add({ operation, attributes: ["locale"], times: 1, error: { kind: "reset" } });
      app.emulator.faults.add({ operation, attributes: ["locale"], times: 1, error: "InvalidParameterException" });
      await app.update(who, { locale: "de" });
    },
    says: pattern("`locale` may have been written at AT by a single change: nobody heard what became of the call"),
  },
  {
    title: "the account was deleted and made anew",
    who: "paul",
    act: async (app, who) => {
      await sync(app, who, "Pau");
      app.pool.removeUser(who);
      app.pool.addUser({ username: who });
    },
    says: pattern(
      "^`nickname` was written at AT by RUN of paul\\.csv, in the account before this one\\. The account was deleted",
    ),
  },
  {
    title: "the person has yet to confirm it",
    who: "rosa",
    act: async (app, who) => {
      await byHand(app.emulator, who, { phone_number: "+14325551212", phone_number_verified: "true" });
      await app.update(who, { phone_number: "+14325551213" }, { verified: "ask" });
    },
    says: pattern(
      "The pool holds another `phone_number` than poolsync wrote last: it shows the former one until the person has confirmed",
    ),
  },
  {
    title: "the address by which it was put is not theirs any more",
    who: "sara",
    act: async (app, who) => {
      await byHand(app.emulator, who, { email: "sara@example.com", email_verified: "true" });
      await app.queue("sara@example.com", { nickname: "Sarah" });
      await byHand(app.emulator, who, { email: "other@example.com", email_verified: "true" });
    },
    says: pattern(
      "`nickname` waits as S\\*\\*\\*, put by a single change for email s\\*\\*\\*@e\\*\\*\\*\\.com \\(asked at AT\\), as of AT\\. `nickname` was put for email s\\*\\*\\*@e\\*\\*\\*\\.com, which this user does not have any more\\.",
    ),
  },
];

test("explain says why somebody has what they have", async (t) => {
  const app = await setApp(t, {
    pool: {
      aliasAttributes: ["email"],
      autoVerified: ["phone_number"],
      requireVerificationBeforeUpdate: ["phone_number"],
    },
  });
  for (const { title, who, absent, act, says } of SITUATIONS) {
    await t.test(title, async () => {
      if (absent !== true) app.pool.addUser({ username: who });
      await act?.(app, who);
      const said = await app.because(who);
      assert.match(said, says);
      assert.doesNotMatch(said, /taken@|sara@|\+1432|Norra|Karlo|Else/);
    });
  }

  await t.test("a row named somebody whom nobody is called", async () => {
    await app.trySync([await app.file("email,nickname\nwho@example.com,Who\n", "who.csv")], {
      usernameColumn: "email",
    });
    const explained = await app.tryExplain("who@example.com");
    assert.ok(explained.is === "none");
    assert.match(
      explained.exceptions.map(exceptionText).join(" "),
      pattern(
        "^A row was not written \\(unmatched: user-unknown\\), at AT, line 2 of RUN of who\\.csv\\. Expected the row to name",
      ),
    );
  });

  await t.test("a run that may be of them waits for an approval", async () => {
    const { store } = await app.open();
    const waiting = { id: "r-waits", source: "file", pool: POOL, feed: "hr", identity: "", asOf: 0 } as const;
    await store.runs.begin(waiting);
    await store.runs.advance("r-waits", "needs-approval");
    assert.match(
      await app.because("anna"),
      /^Run r-waits of hr waits for an approval, .* `poolsync runs show r-waits`\./,
    );
    await store.runs.advance("r-waits", "cancelled");
  });

  await t.test("the pool is on hold", async () => {
    const { store } = await app.open();
    await store.holds.place(POOL, "pool", "not-authorized");
    assert.match(await app.because("karl"), /^The pool is on hold \(not-authorized\)\. \S.* `nickname` waits as K/);
  });
});
