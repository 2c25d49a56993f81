import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { SCAN_WAIT_MS, type IndexedAccount, type IndexedAttribute } from "../../src/store/account-index.ts";
import { openForSuite, type Open, type Time } from "./open-store.ts";

const ATTRIBUTE = "custom:id";

/** What every store must do with the account index. */
export function accountIndexSuite(name: string, open: Open, time: Time): void {
  describe(`the account index: ${name}`, () => {
    const suite = openForSuite(open, time);
    /** When scans begin: lately. */
    let T = 0;
    before(async () => {
      T = await suite.store.now();
    });

    /** Mark and body are base64, as those of the keyring. */
    const account = (of: string, sub: string): IndexedAccount => ({
      name: of,
      mark: `${sub}AA`,
      body: `b:${Buffer.from(sub.padEnd(44)).toString("base64")}`,
    });
    /** Accounts by what names them: `id:sub`, apart by blanks; each text is added by itself. */
    function scanOf(of: IndexedAttribute, beganAt: number) {
      const { accounts } = suite.store;
      const scan = { ...of, scan: suite.fresh("scan"), beganAt };
      let adds = 0;
      return {
        scan,
        add: async (...parts: readonly string[]): Promise<void> => {
          for (const part of parts) {
            const seen = part.split(" ").map((text) => text.split(":"));
            await accounts.add(
              scan,
              seen.map(([id = "", sub = ""]) => account(id, sub)),
            );
            adds += 1;
          }
        },
        finish: (more = 0) => accounts.finish(scan, adds + more),
      };
    }
    const indexed = (attribute = ATTRIBUTE): IndexedAttribute => ({ pool: suite.fresh("pool"), attribute });
    async function found(of: IndexedAttribute, ...names: readonly string[]): Promise<string> {
      const answers: string[] = [];
      for (const one of names) {
        const { found: said } = await suite.store.accounts.find(of, one);
        answers.push(said.is === "one" ? Buffer.from(said.body.slice(2), "base64").toString().trim() : said.is);
      }
      return answers.join(" ");
    }

    test("has what a whole scan saw, and nothing before", async () => {
      const { accounts } = suite.store;
      const of = indexed();
      assert.deepEqual(await accounts.find(of, "1"), { found: { is: "none" } });
      assert.deepEqual(await accounts.scanned(of.pool), new Map());
      const { add, finish } = scanOf(of, T);
      await add("1:aa 2:bb", "3:cc");
      assert.deepEqual(await accounts.find(of, "1"), { found: { is: "none" } });
      assert.equal(await finish(), true);
      const { body } = account("1", "aa");
      assert.deepEqual(await accounts.find(of, "1"), { found: { is: "one", body }, scannedAt: T });
      assert.deepEqual(await accounts.find(of, "4"), { found: { is: "none" }, scannedAt: T });
      assert.equal(await found(of, "2", "3", ""), "bb cc none");
      assert.deepEqual(await accounts.scanned(of.pool), new Map([[ATTRIBUTE, T]]));
    });

    test("says of a value that accounts share that several have it, however often each was seen", async () => {
      const of = indexed();
      const { add, finish } = scanOf(of, T);
      await add("1:aa 1:aa 2:bb 2:cc 3:dd", "3:dd", "1:aa 3:ee", "3:dd 2:bb");
      await finish();
      assert.equal(await found(of, "1", "2", "3"), "aa several several");
    });

    test("is that of the scan before while one is under way, and where it is cut", async () => {
      const of = indexed();
      const first = scanOf(of, T);
      await first.add("1:aa 2:bb");
      await first.finish();
      const cut = scanOf(of, T + 1000);
      await cut.add("2:cc 3:dd");
      assert.equal(await found(of, "1", "2", "3"), "aa bb none");
      await suite.store.accounts.drop(cut.scan);
      assert.equal(await cut.finish(), false, "of what is forgotten nothing is whole");
      assert.equal(await found(of, "1", "2", "3"), "aa bb none");
      const again = scanOf(of, T + 2000);
      await again.add("2:cc 3:dd");
      assert.equal(await again.finish(), true);
      assert.equal(await found(of, "1", "2", "3"), "none cc dd");
    });

    test("takes no scan of which something is missing, and none that began before another that is whole", async () => {
      const of = indexed();
      const [early, late, last] = [scanOf(of, T), scanOf(of, T + 1000), scanOf(of, T + 2000)];
      await early.add("1:aa");
      await late.add("1:bb");
      await last.add("1:cc");
      assert.equal(await late.finish(), true);
      await early.add("2:aa");
      assert.equal(await early.finish(), false);
      assert.equal(await last.finish(1), false);
      assert.equal(await found(of, "1", "2"), "bb none");
    });

    suite.hours("takes no scan that rested for so long that what it saw is gone", async () => {
      const of = indexed();
      const slow = scanOf(of, T);
      await slow.add("1:aa");
      await suite.passes(SCAN_WAIT_MS + 1);
      await slow.add("2:bb");
      // Where nothing goes by itself it is whole.
      const isWhole = await slow.finish();
      assert.equal(await found(of, "1", "2"), isWhole ? "aa bb" : "none none");
    });

    test("is empty after a scan that saw nobody", async () => {
      const of = indexed();
      const { add, finish } = scanOf(of, T);
      await add("1:aa");
      await finish();
      assert.equal(await scanOf(of, T + 1000).finish(), true);
      assert.deepEqual(await suite.store.accounts.find(of, "1"), { found: { is: "none" }, scannedAt: T + 1000 });
    });

    test("is another one for each attribute and pool, though one scan fills them", async () => {
      const { accounts } = suite.store;
      const [of, other] = [indexed(), indexed()];
      const name = { ...of, attribute: "name" };
      const scans = [scanOf(of, T), scanOf(name, T + 500), scanOf(other, T)] as const;
      await scans[0].add("1:aa");
      await accounts.add({ ...scans[0].scan, attribute: "name" }, [account("2", "bb")]);
      await scans[1].add("3:cc");
      await scans[2].add("1:dd");
      for (const { finish } of scans) await finish();
      assert.equal(await found(of, "1", "2", "3"), "aa none none");
      assert.equal(await found(name, "1", "2", "3"), "none none cc");
      assert.equal(await found(other, "1"), "dd");
      assert.deepEqual(
        await accounts.scanned(of.pool),
        new Map([
          [ATTRIBUTE, T],
          ["name", T + 500],
        ]),
      );
    });
  });
}
