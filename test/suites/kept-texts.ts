import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";

/** What every store must do for who seals everything anew. */
export function keptTextsSuite(name: string, open: Open, time: Time): void {
  describe(`what is kept sealed: ${name}`, () => {
    const suite = openForSuite(open, time);

    test("walks through all that is kept sealed, and replaces a text where it is still the same", async () => {
      const { texts, ...store } = suite.store;
      const [pool, run] = [suite.fresh("pool"), suite.fresh("run")];
      await store.target({ pool, endpoint: "localhost", region: "eu-west-1", arn: "arn" });
      await store.runs.begin({ id: run, source: "file", pool, feed: "f", identity: "", asOf: 0 });
      await store.setLink(pool, "digest", "a link");
      const images = Array.from({ length: 450 }, (_, nth) => ({ unit: `unit ${nth}`, body: `body ${nth}` }));
      await store.beforeImages.keep(run, images, 60_000);
      async function* chunks() {
        for (let nth = 0; nth < 11; nth += 1) yield `chunk ${nth}`;
      }
      await store.plans.keep({ run, expiresAt: Date.now() + 60_000 }, chunks());
      const user = suite.fresh("user");
      const note = suite.fresh("note");
      await store.setValue(note, "a note");
      const units = [{ name: "given_name", digest: "d", body: "b:body" }];
      const changes = [{ user, username: "b:name", units }];
      await store.mailboxes.put({ pool, run, priority: 1, changes, invalid: 0, rows: { read: 1, faulty: 0 } });

      const found = new Map<string, string>();
      for (const { kind, of, texts: count } of await texts.shelves()) {
        if (of !== pool && of !== run && of !== "") continue;
        let met = 0;
        for (let cursor: string | undefined = ""; cursor !== undefined;) {
          const page: Awaited<ReturnType<typeof texts.page>> = await texts.page({ kind, of }, cursor);
          cursor = page.next;
          met += page.found.length;
          for (const { name, text } of page.found) found.set(`${kind} ${name}`, text);
        }
        assert.equal(met, count, kind);
      }
      assert.equal(found.get("links digest"), "a link");
      assert.equal(found.get("before images unit 449"), "body 449");
      assert.equal(found.get("plan 10"), "chunk 10");
      assert.equal(found.get(`notes ${note}`), "a note");
      const mailbox = found.get(`mailboxes ${user}`) ?? "";
      assert.match(mailbox, /"b:body"/);

      // Where a walk was is kept in a note, and that may be broken: then it begins anew, or is over.
      for (const shelf of [
        { kind: "links", of: pool },
        { kind: "plan", of: run },
      ] as const) {
        const { found: again } = await texts.page(shelf, "broken");
        assert.ok(again.every((kept) => found.get(`${shelf.kind} ${kept.name}`) === kept.text));
      }

      for (const [kind, of, name, text, to] of [
        ["links", pool, "digest", "a link", "another link"],
        ["before images", run, "unit 7", "body 7", "another body"],
        ["plan", run, "10", "chunk 10", "another chunk"],
        ["notes", "", note, "a note", "another note"],
        ["mailboxes", "", user, mailbox, mailbox.replace("b:body", "b:another")],
      ] as const) {
        const missing = kind === "plan" ? "99" : "nobody";
        assert.equal(await texts.replace({ kind, of }, { name, text: `${text} ` }, to), false);
        assert.equal(await texts.replace({ kind, of }, { name, text }, to), true, kind);
        assert.equal(await texts.read({ kind, of }, name), to);
        assert.equal(await texts.replace({ kind, of }, { name: missing, text }, to), false);
        assert.equal(await texts.read({ kind, of }, missing), undefined);
      }
      assert.equal((await store.mailboxes.read(user)).mailbox?.pending["given_name"]?.body, "b:another");
      assert.equal(await texts.era(), await texts.era());
    });
  });
}
