import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EXCEPTION_MS, type Exception } from "../../src/store/exceptions.ts";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";

/** What every store must do with exceptions. */
export function exceptionSuite(name: string, open: Open, time: Time): void {
  describe(`exceptions: ${name}`, () => {
    const suite = openForSuite(open, time);
    const noted = (about: string, more: Partial<Exception> = {}): Omit<Exception, "at"> => {
      const { unit = "email", kind = "invalid", run = "run-1", reason = "too-long", line } = more;
      return { about, unit, kind, run, reason, ...(line === undefined ? {} : { line }) };
    };
    const about = async (key: string): Promise<Omit<Exception, "at">[]> => {
      const all = (await suite.store.exceptions.about(key)).map(({ at: _at, ...rest }) => rest);
      return all.toSorted((a, b) => (a.unit < b.unit ? -1 : 1));
    };

    test("are kept by unit, the latest of each, also of a row as a whole and of odd names", async () => {
      const { exceptions } = suite.store;
      const user = suite.fresh("user");
      const row = noted(user, { unit: "", kind: "unmatched", reason: "user-unknown", line: 12 });
      const odd = noted(user, { unit: "__proto__", line: 3 });
      await exceptions.note([noted(user, { line: 1 }), row, odd]);
      await exceptions.note([noted(user, { kind: "stale", run: "run-2", reason: "stale", line: 2 })]);
      const stale = noted(user, { kind: "stale", run: "run-2", reason: "stale", line: 2 });
      assert.deepEqual(await about(user), [row, odd, stale]);
    });

    test("of one unit that are noted at once: the later one stands", async () => {
      const user = suite.fresh("user");
      await suite.store.exceptions.note([noted(user, { line: 1 }), noted(user, { line: 9, reason: "bad-email" })]);
      assert.deepEqual(await about(user), [noted(user, { line: 9, reason: "bad-email" })]);
    });

    test("say when, and are nobody else's", async () => {
      const { exceptions } = suite.store;
      const [user, other] = [suite.fresh("user"), suite.fresh("user")];
      const before = await suite.store.now();
      await exceptions.note([noted(user)]);
      const [found] = await exceptions.about(user);
      assert.ok(found && found.at >= before && found.at <= (await suite.store.now()));
      assert.deepEqual(await exceptions.about(other), []);
    });

    suite.hours("go by themselves after their time", async () => {
      const { exceptions } = suite.store;
      const [user, other] = [suite.fresh("user"), suite.fresh("user")];
      await exceptions.note([noted(user)]);
      await suite.passes(EXCEPTION_MS);
      await exceptions.note([noted(other)]);
      assert.deepEqual(await about(user), []);
      assert.deepEqual(await about(other), [noted(other)]);
    });
  });
}
