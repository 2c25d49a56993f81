/**
 * A store that another version has brought to another format, or that was emptied, replaced or restored, while this
 * process has it open, is not written to.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { feedGate, poolGate } from "../../src/core/gate.ts";
import type { ClaimAnswer } from "../../src/store/mailboxes.ts";
import { StoreError } from "../../src/store/store-error.ts";
import type { Store } from "../../src/store/store.ts";

export interface FencedStore {
  /** As another process would open it. Each is closed with the store. */
  openStore(): Promise<Store>;
  /** Makes one of the three another, or takes all away. */
  change(what: StoreChange): Promise<void>;
  /** Makes it the store that was opened. */
  restore(): Promise<void>;
  /** Everything that is kept. */
  dump(): Promise<unknown>;
  close(): Promise<void>;
}

export type StoreChange = "format" | "identity" | "epoch" | "gone";

/** What a process says of each. */
const REFUSALS: Readonly<Record<StoreChange, readonly [kind: string, said: RegExp]>> = {
  format: ["foreign-format", /format \d+.*: (?:run that version|use the newer version)/],
  identity: ["store-replaced", /^Another store is in the place.*Start this process again; .*`poolsync epoch raise`/],
  epoch: ["store-replaced", /^The epoch of the store was raised.*Start this process again\.$/],
  gone: ["store-replaced", /^(?:Redis has nothing|Another store).*Start this process again/],
};

const POOL = "eu-west-1_Example";
const LEASE_MS = 60_000;
const units = [{ name: "given_name", digest: "digest", body: "p:{}" }];
const page = (user: string) => ({
  pool: POOL,
  run: "run",
  priority: 10,
  changes: [{ user, username: `p:${user}`, units }],
  invalid: 0,
  rows: { read: 1, faulty: 0 },
});
const begun = (id: string) => ({ id, source: "file" as const, pool: POOL, feed: "hr", identity: id, asOf: 0 });
const INBOX_LIMITS = { entries: 10, bytes: 1_000 };
const INBOX_TAKE = { token: "parking", leaseMs: LEASE_MS, limit: 10, maxBytes: 1_000 };
const entry = (id: string) => ({ id, feed: "hr", body: "b:" });
const inHand = { token: "token", ids: ["taken"] };
const seeing = { pool: POOL, attribute: "custom:id", scan: "scan", beganAt: 1 };
const sweep = { holder: "holder", leaseMs: LEASE_MS, offset: 0, limit: 10 };
async function* chunks(): AsyncGenerator<string> {
  yield "chunk";
}

function settled(claimed: ClaimAnswer | undefined, bury?: string) {
  const version = (claimed?.is === "claimed" && claimed.units["given_name"]?.version) || "";
  const buried = { is: "bury", version, kind: "gave-up", reason: "Because", fateUnknown: false } as const;
  return { given_name: bury === undefined ? ({ is: "applied", version } as const) : { ...buried, letter: bury } };
}

/** What only reads, by port. `recount` may go either way; `lineUp` and `verify` write what was lost, in a step like the others. */
const READING: Readonly<Record<string, readonly string[]>> = {
  mailboxes: ["dueCount", "read", "ledgers", "isBehind", "recount", "lineUp"],
  letters: ["list", "get"],
  inbox: ["parked", "older", "get", "counts", "verify"],
  runs: ["get", "list", "unfinished", "books", "forgotten"],
  holds: ["list"],
  exceptions: ["about"],
  gates: ["list", "kept", "keptUsers", "opened"],
  reservations: ["holder"],
  workers: ["list"],
  beforeImages: ["read"],
  accounts: ["find", "scanned"],
  pace: ["view"],
  plans: ["read", "list"],
  store: [
    "kind",
    "identity",
    "epoch",
    "since",
    "metRuns",
    "withoutAof",
    "lost",
    "targets",
    "getValue",
    "recall",
    "now",
    "link",
    "pools",
    "close",
  ],
  // `reckon` writes only where something was set aside, in a step like the others.
  damaged: ["list", "reckon"],
  texts: ["shelves", "page", "read", "era"],
  rekeying: ["find", "left"],
};
/** Of the embedded engine only. */
const OTHER = ["database", "answer", "serve"];

/** `sharesPace`: the pace is the store's, and not the process's own. */
export function fenceSuite(name: string, open: () => Promise<FencedStore>, { sharesPace = true } = {}): void {
  describe(`a store that is another one: ${name}`, () => {
    let fenced: FencedStore;
    let store: Store;
    let claim: ClaimAnswer;

    before(async () => {
      fenced = await open();
      store = await fenced.openStore();
      const { mailboxes, runs, holds, gates, plans, reservations } = store;
      await runs.begin(begun("run"));
      for (const user of ["ann", "bob", "cem"]) await mailboxes.put(page(user));
      claim = await mailboxes.claim("ann", "token", LEASE_MS);
      const dying = await mailboxes.claim("bob", "token", LEASE_MS);
      await mailboxes.settle("bob", "token", settled(dying, "letter"), LEASE_MS);
      const { inbox } = store;
      await inbox.add([entry("parked"), entry("taken"), entry("waiting")], INBOX_LIMITS);
      await inbox.park(
        { ...INBOX_TAKE, ids: (await inbox.take(INBOX_TAKE.token, INBOX_TAKE)).entries.map(({ id }) => id) },
        "nobody",
      );
      await inbox.replay(["taken"]);
      await inbox.take("token", INBOX_TAKE);
      await inbox.replay(["waiting"]);
      await holds.place("held", "pool", "pool-not-found");
      await gates.pause(feedGate("paused"), { by: "ann", reason: "a test" });
      await plans.keep({ run: "run", expiresAt: Date.now() + LEASE_MS }, chunks());
      await reservations.take(POOL, "alias", "ann", LEASE_MS);
      await store.accounts.add(seeing, [{ name: "other", mark: "mark", body: "b:" }]);
      await store.workers.renew("worker", { does: "schedules", process: "desk:1" }, LEASE_MS);
    });
    after(() => fenced.close());

    const expiresAt = Date.now() + LEASE_MS;
    const WRITING: Readonly<Record<string, Readonly<Record<string, (to: Store) => Promise<unknown>>>>> = {
      mailboxes: {
        put: ({ mailboxes }) => mailboxes.put(page("dan")),
        claim: ({ mailboxes }) => mailboxes.claim("cem", "other", LEASE_MS),
        settle: ({ mailboxes }) => mailboxes.settle("ann", "token", settled(claim), LEASE_MS),
        sweep: ({ mailboxes }) => mailboxes.sweep(POOL, sweep),
        sortOut: ({ mailboxes }) => mailboxes.sortOut({ pool: POOL }, { offset: 0, limit: 10 }),
        release: ({ mailboxes }) => mailboxes.release(poolGate(POOL), 10),
        replay: ({ mailboxes }) => mailboxes.replay(["letter"], 1),
      },
      inbox: {
        add: ({ inbox }) => inbox.add([entry("new")], INBOX_LIMITS),
        take: ({ inbox }) => inbox.take("other", INBOX_TAKE),
        renew: ({ inbox }) => inbox.renew(inHand, LEASE_MS),
        done: ({ inbox }) => inbox.done(inHand),
        defer: ({ inbox }) => inbox.defer(inHand, 0),
        park: ({ inbox }) => inbox.park(inHand, "nobody"),
        replay: ({ inbox }) => inbox.replay(["parked"]),
        discard: ({ inbox }) => inbox.discard(["parked"]),
        trim: ({ inbox }) => inbox.trim({ keepMs: 0, entries: 0, bytes: 0 }, 10),
      },
      letters: { discard: ({ letters }) => letters.discard(["letter"]) },
      runs: {
        begin: ({ runs }) => runs.begin(begun("other")),
        direct: ({ runs }) => runs.direct("another pool"),
        rename: ({ runs }) => runs.rename("run", "another"),
        advance: ({ runs }) => runs.advance("run", "delivering"),
        transition: ({ runs }) => runs.transition("run", ["reading"], "cancelled"),
        sweep: ({ runs }) => runs.sweep(Date.now() + LEASE_MS),
        noteForgotten: ({ runs }) => runs.noteForgotten(["other"]),
      },
      gates: {
        pause: ({ gates }) => gates.pause(poolGate(POOL), { by: "ann", reason: "a test" }),
        resume: ({ gates }) => gates.resume(feedGate("paused")),
      },
      exceptions: {
        note: ({ exceptions }) =>
          exceptions.note([{ about: "ann", unit: "name", kind: "invalid", run: "run", reason: "too-long" }]),
      },
      holds: {
        place: ({ holds }) => holds.place(POOL, "contacts", "sms-role"),
        ask: ({ holds }) => holds.ask("held", "pool"),
        lift: ({ holds }) => holds.lift("held", "pool"),
      },
      workers: {
        renew: ({ workers }) => workers.renew("id", { does: "replays", process: "desk:1" }, LEASE_MS),
        end: ({ workers }) => workers.end("worker"),
      },
      reservations: {
        take: ({ reservations }) => reservations.take(POOL, "other", "bob", LEASE_MS),
        release: ({ reservations }) => reservations.release(POOL, "alias", "ann"),
      },
      beforeImages: {
        keep: ({ beforeImages }) => beforeImages.keep("run", [{ unit: "unit", body: "p:{}" }], LEASE_MS),
      },
      accounts: {
        add: ({ accounts }) => accounts.add(seeing, [{ name: "name", mark: "mark", body: "b:" }]),
        drop: ({ accounts }) => accounts.drop(seeing),
        finish: ({ accounts }) => accounts.finish(seeing, 1),
      },
      pace: {
        reserve: ({ pace }) => pace.reserve("bucket", 10, { maxSlots: 1, urgent: false }),
        throttled: ({ pace }) => pace.throttled("bucket", 10, 0),
      },
      plans: {
        keep: ({ plans }) => plans.keep({ run: "other", expiresAt }, chunks()),
        drop: ({ plans }) => plans.drop("run"),
        setAside: ({ plans }) => plans.setAside("run"),
      },
      damaged: { remove: ({ damaged }) => damaged.remove(["1"]) },
      texts: {
        replace: async ({ texts }) => {
          const shelf = { kind: "letters", of: "" } as const;
          const text = (await texts.read(shelf, "letter")) ?? "";
          return texts.replace(shelf, { name: "letter", text }, "{}");
        },
      },
      rekeying: {
        begin: ({ rekeying }) => rekeying.begin(),
        move: ({ rekeying }) =>
          rekeying.move({ kind: "before images", of: "run" }, [{ from: "image", to: { name: "other", text: "" } }]),
        end: ({ rekeying }) => rekeying.end(),
      },
      store: {
        look: (to) => to.look(),
        raiseEpoch: (to) => to.raiseEpoch(),
        target: (to) => to.target({ pool: "other", endpoint: "localhost", region: "eu-west-1", arn: "arn" }),
        setOnce: (to) => to.setOnce("name", "value"),
        exchange: (to) => to.exchange("unnamed", undefined, "value"),
        setValue: (to) => to.setValue("name", "value"),
        setLink: (to) => to.setLink(POOL, "digest", "p:ann"),
        dropLink: (to) => to.dropLink(POOL, "digest"),
      },
    };

    test("has a case here for all that it can do", () => {
      const ports = { ...store, store };
      for (const [port, steps] of Object.entries(WRITING)) {
        const there = Object.keys(Reflect.get(ports, port) as object);
        const known = [...Object.keys(steps), ...(READING[port] ?? [])];
        const others = port === "store" ? [...Object.keys(WRITING), ...OTHER] : [];
        const missing = there.filter((method) => ![...known, ...others].includes(method));
        assert.deepEqual(missing, [], port);
      }
    });

    for (const [port, steps] of Object.entries(WRITING)) {
      if (port === "pace" && !sharesPace) continue;
      for (const [method, step] of Object.entries(steps)) {
        test(`refuses ${port}.${method}, and nothing is written`, async () => {
          const own = await fenced.openStore();
          assert.equal(own.lost.aborted, false);
          for (const [change, [kind, said]] of Object.entries(REFUSALS)) {
            await fenced.change(change as StoreChange);
            try {
              const before = await fenced.dump();
              await assert.rejects(step(own), (error) => {
                assert.ok(error instanceof StoreError, String(error));
                assert.equal(error.kind, kind);
                assert.match(error.message, said);
                if (change === "format") assert.equal(own.lost.reason, error);
                return true;
              });
              assert.deepEqual(await fenced.dump(), before, change);
            } finally {
              await fenced.restore();
            }
          }
        });
      }
    }

    test("answers no read that decides something, once it is emptied", async () => {
      const own = await fenced.openStore();
      const READS: readonly ((from: Store) => Promise<unknown>)[] = [
        ({ runs }) => runs.get("run"),
        ({ runs }) => runs.books("run"),
        ({ mailboxes }) => mailboxes.read("ann"),
        ({ mailboxes }) => mailboxes.ledgers(["ann"]),
        ({ letters }) => letters.get("letter"),
        (from) => from.getValue("name"),
        (from) => from.targets(),
      ];
      if (own.kind === "embedded") return;
      await fenced.change("gone");
      try {
        for (const read of READS) await assert.rejects(read(own), { kind: "store-replaced" });
      } finally {
        await fenced.restore();
      }
    });

    test("is another one for all others once its epoch is raised, and goes on for whoever raised it", async () => {
      const own = await fenced.openStore();
      const { identity } = own;
      const before = await own.now();
      await own.raiseEpoch();
      const { epoch } = own;
      assert.ok(epoch >= before, "a time, which no copy of an earlier epoch is raised to");
      assert.equal(own.identity, identity);
      assert.ok(own.since !== undefined && Math.abs(own.since - (await own.now())) < LEASE_MS);
      const { since } = own;
      await own.raiseEpoch({ isWhole: true });
      assert.ok(own.epoch > epoch);
      assert.equal(own.since, since);
      await own.setValue("name", "value");
      await fenced.change("epoch");
      await assert.rejects(own.look(), { kind: "store-replaced" });
      await fenced.restore();
    });

    test("loses nothing of what it had", async () => {
      const own = await fenced.openStore();
      assert.equal((await own.mailboxes.settle("ann", "token", settled(claim), LEASE_MS)).late, false);
      assert.equal((await own.mailboxes.claim("cem", "other", LEASE_MS)).is, "claimed");
      assert.deepEqual(await own.inbox.done(inHand), ["taken"]);
      assert.equal(await own.letters.discard(["letter"]), 1);
      assert.equal(own.lost.aborted, false);
    });
  });
}
