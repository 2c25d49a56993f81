/** A store that another version has brought to another format, while this process has it open, is not written to. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { feedGate, poolGate } from "../../src/core/gate.ts";
import type { ClaimAnswer } from "../../src/store/mailboxes.ts";
import { StoreError } from "../../src/store/store-error.ts";
import type { Store } from "../../src/store/store.ts";

export interface FencedStore {
  /** As another process would open it. Each is closed with the store. */
  openStore(): Promise<Store>;
  /** Another format than this version's, or this version's. */
  setFormat(is: "another" | "ours"): Promise<void>;
  /** Everything that is kept. */
  dump(): Promise<unknown>;
  close(): Promise<void>;
}

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
const sweep = { holder: "holder", leaseMs: LEASE_MS, offset: 0, limit: 10 };
async function* chunks(): AsyncGenerator<string> {
  yield "chunk";
}

function settled(claimed: ClaimAnswer | undefined, bury?: string) {
  const version = (claimed?.is === "claimed" && claimed.units["given_name"]?.version) || "";
  const buried = { is: "bury", version, kind: "gave-up", reason: "Because", fateUnknown: false } as const;
  return { given_name: bury === undefined ? ({ is: "applied", version } as const) : { ...buried, letter: bury } };
}

/** What only reads, by port. `recount` may go either way. */
const READING: Readonly<Record<string, readonly string[]>> = {
  mailboxes: ["dueCount", "read", "ledgers", "isBehind", "recount"],
  letters: ["list", "get"],
  runs: ["get", "list", "books"],
  holds: ["list"],
  exceptions: ["about"],
  gates: ["list", "kept", "opened"],
  reservations: ["holder"],
  beforeImages: ["read"],
  pace: ["view"],
  plans: ["read", "list"],
  // `reckon` writes only where something was set aside, in a step like the others.
  damaged: ["list", "reckon"],
  store: ["kind", "foreign", "targets", "getValue", "now", "link", "pools", "close"],
};
/** Of the embedded engine only. */
const OTHER = ["database", "answer"];

/** `sharesPace`: the pace is the store's, and not the process's own. */
export function fenceSuite(name: string, open: () => Promise<FencedStore>, { sharesPace = true } = {}): void {
  describe(`a store of another format: ${name}`, () => {
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
      await holds.place("held", "pool", "pool-not-found");
      await gates.pause(feedGate("paused"), { by: "ann", reason: "a test" });
      await plans.keep({ run: "run", expiresAt: Date.now() + LEASE_MS }, chunks());
      await reservations.take(POOL, "alias", "ann", LEASE_MS);
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
      letters: { discard: ({ letters }) => letters.discard(["letter"]) },
      runs: {
        begin: ({ runs }) => runs.begin(begun("other")),
        direct: ({ runs }) => runs.direct("another pool"),
        advance: ({ runs }) => runs.advance("run", "delivering"),
        transition: ({ runs }) => runs.transition("run", ["reading"], "cancelled"),
        sweep: ({ runs }) => runs.sweep(Date.now() + LEASE_MS),
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
      reservations: {
        take: ({ reservations }) => reservations.take(POOL, "other", "bob", LEASE_MS),
        release: ({ reservations }) => reservations.release(POOL, "alias", "ann"),
      },
      beforeImages: {
        keep: ({ beforeImages }) => beforeImages.keep("run", [{ unit: "unit", body: "p:{}" }], LEASE_MS),
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
      store: {
        look: (to) => to.look(),
        target: (to) => to.target({ pool: "other", endpoint: "localhost", region: "eu-west-1", arn: "arn" }),
        setOnce: (to) => to.setOnce("name", "value"),
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
          assert.equal(own.foreign.aborted, false);
          await fenced.setFormat("another");
          try {
            const before = await fenced.dump();
            await assert.rejects(step(own), (error) => {
              assert.ok(error instanceof StoreError, String(error));
              assert.equal(error.kind, "foreign-format");
              assert.match(error.message, /format \d+.*: (?:run that version|use the newer version)/);
              assert.equal(own.foreign.reason, error);
              return true;
            });
            assert.deepEqual(await fenced.dump(), before);
          } finally {
            await fenced.setFormat("ours");
          }
        });
      }
    }

    test("loses nothing of what it had", async () => {
      const own = await fenced.openStore();
      assert.equal((await own.mailboxes.settle("ann", "token", settled(claim), LEASE_MS)).late, false);
      assert.equal((await own.mailboxes.claim("cem", "other", LEASE_MS)).is, "claimed");
      assert.equal(await own.letters.discard(["letter"]), 1);
      assert.equal(own.foreign.aborted, false);
    });
  });
}
