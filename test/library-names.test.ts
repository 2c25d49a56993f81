/** All names of one person lead to one mailbox, also where poolsync itself moves a name from one person to another. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { PoolDefinition } from "../src/emulator/pool-definition.ts";
import { byHand } from "./cli/command-run.ts";
import { openLibrary, type LibraryStage, type PoolOfPeople } from "./support/library-stage.ts";

const ANN = "ann@example.com";
const CHU = "chu@example.com";
const STALE_MS = 61_000;
const LAG_MS = 5_000;

const verified = (email: string) => ({ email, email_verified: "true" });
const FEDERATED = { who: "Google_1", attributes: verified(ANN), isFederated: true } as const;

const POOLS: readonly (readonly [title: string, pool: Omit<PoolDefinition, "id">])[] = [
  ["an alias pool", { aliasAttributes: ["email"] }],
  ["a pool whose users sign in with e-mail", { usernameAttributes: ["email"] }],
];

/** A pool with one person, the test's name for them, and texts that name them. */
type Named = readonly [people: PoolOfPeople, who: string, ...names: string[]];

describe("one person", () => {
  let stage: LibraryStage;
  before(async () => {
    stage = await openLibrary();
  });
  after(() => stage.close());

  const sameNames: readonly (readonly [title: string, named: () => Named])[] = [
    [
      "username and sub",
      () => {
        const people = stage.people({}, [{ who: "ann" }]);
        return [people, "ann", "ann", people.sub("ann")];
      },
    ],
    [
      "username, address and sub in an alias pool",
      () => {
        const people = stage.people({ aliasAttributes: ["email"] }, [{ who: "ann", attributes: verified(ANN) }]);
        return [people, "ann", "ann", ANN, people.sub("ann")];
      },
    ],
    [
      "address and sub where people sign in with the address",
      () => {
        const people = stage.people({ usernameAttributes: ["email"] }, [{ who: "ann", attributes: verified(ANN) }]);
        return [people, "ann", ANN, people.sub("ann")];
      },
    ],
    [
      "username and preferred username",
      () => {
        const ann = { who: "u1", attributes: { preferred_username: "annie" } };
        const people = stage.people({ aliasAttributes: ["preferred_username"] }, [ann]);
        return [people, "u1", "u1", "annie"];
      },
    ],
    [
      "every spelling, where case does not count",
      () => {
        const ann = { who: "ann", attributes: { ...verified(ANN), preferred_username: "annie" } };
        const people = stage.people({ aliasAttributes: ["email", "preferred_username"], caseSensitive: false }, [ann]);
        return [people, "ann", "ann", "ANN", ANN, "Ann@Example.com", "Annie"];
      },
    ],
    [
      "username, address and sub of another identity provider's user",
      () => {
        const people = stage.people({ aliasAttributes: ["email"] }, [FEDERATED]);
        return [people, "Google_1", "Google_1", ANN, people.sub("Google_1")];
      },
    ],
  ];
  for (const [title, named] of sameNames) {
    test(`has one mailbox by ${title}`, async () => {
      const [people, who, ...names] = named();
      const users = new Set<string>();
      for (const name of names) users.add((await people.enqueue(name, { given_name: "Ann" })).user);
      assert.equal(users.size, 1);
      for (const name of names) {
        const { attributes } = await people.update(name, { nickname: name });
        assert.deepEqual(attributes, { nickname: { is: "applied" } }, name);
        assert.deepEqual(people.have("nickname", who), [name]);
      }
    });
  }

  test("keeps the order of what comes by username and by sub", async () => {
    const people = stage.people({}, [{ who: "ann" }]);
    const timeMs = Date.now() - 1_000;
    await people.enqueue(people.sub("ann"), { nickname: "newer" }, { version: { timeMs, sequence: 2 } });
    await people.enqueue("ann", { nickname: "older" }, { version: { timeMs, sequence: 1 } });
    await stage.settled();
    assert.deepEqual(people.have("nickname", "ann"), ["newer"]);
    assert.equal(stage.emulator.log.writes.filter(({ pool }) => pool === people.pool.id).length, 1);
  });

  test("is asked for once a minute", async () => {
    const people = stage.people({ aliasAttributes: ["email"] }, [{ who: "ann", attributes: verified(ANN) }]);
    const asked = (): number => stage.emulator.counters.operations["ListUsers"]?.calls ?? 0;
    const first = asked();
    await people.enqueue(ANN, { given_name: "Ann" });
    await people.enqueue(ANN, { family_name: "Lee" });
    assert.equal(asked() - first, 1);
    stage.clock.pass(STALE_MS);
    await people.enqueue(ANN, { nickname: "annie" });
    assert.equal(asked() - first, 2);
  });

  for (const [title, pool] of POOLS) {
    test(`has the address that poolsync itself gave them a moment ago, in ${title}`, async () => {
      const people = stage.people(pool, [
        { who: "alee", attributes: verified(ANN) },
        { who: "achu", attributes: verified(CHU) },
      ]);
      await people.update(ANN, { nickname: "had the first" });
      await people.update(CHU, { nickname: "had the second" });
      for (const [who, email] of [
        ["alee", "between@example.com"],
        ["achu", ANN],
        ["alee", CHU],
      ] as const) {
        const { attributes } = await people.update(people.username(who), { email }, { verified: "mark" });
        assert.deepEqual(attributes, { email: { is: "applied" } });
      }
      await people.update(ANN, { given_name: "First" });
      await people.update(CHU, { given_name: "Second" });
      assert.deepEqual(people.have("given_name", "achu", "alee"), ["First", "Second"]);
      assert.deepEqual(people.have("nickname", "achu", "alee"), ["had the second", "had the first"]);
    });
  }

  test("has the preferred username that poolsync itself gave them a moment ago", async () => {
    const people = stage.people({ aliasAttributes: ["preferred_username"] }, [
      { who: "u1", attributes: { preferred_username: "annie" } },
      { who: "u2" },
    ]);
    await people.enqueue("annie", { nickname: "the first" });
    await people.update("u1", { preferred_username: "former" });
    await people.update("u2", { preferred_username: "annie" });
    await people.update("annie", { given_name: "Annie" });
    assert.deepEqual(people.have("given_name", "u1", "u2"), ["", "Annie"]);
  });

  test("whose account is gone is not written by a namesake's, nor by another with the address", async () => {
    const people = stage.people({ aliasAttributes: ["email"] }, [{ who: "ann", attributes: verified(ANN) }]);
    await people.enqueue(ANN, { given_name: "Ann" });
    await people.enqueue(people.sub("ann"), { family_name: "Lee" });
    people.pool.removeUser("ann");
    people.pool.addUser({ username: "ann" });
    people.pool.addUser({ username: "other", attributes: verified(ANN) });
    await stage.settled();
    for (const name of ["given_name", "family_name"]) assert.deepEqual(people.have(name, "ann", "other"), ["", ""]);
  });
});

describe("where the list of users lags", () => {
  let stage: LibraryStage;
  before(async () => {
    stage = await openLibrary(LAG_MS);
  });
  after(() => stage.close());

  const two = (): PoolOfPeople =>
    stage.people({ aliasAttributes: ["email"] }, [{ who: "alee", attributes: verified(ANN) }, { who: "achu" }]);

  test("who had an address when it was asked for is not written once the list shows another", async () => {
    const people = two();
    await byHand(stage.emulator, "achu", verified(ANN), people.pool.id);
    await people.enqueue(ANN, { given_name: "First" });
    stage.clock.pass(STALE_MS);
    await stage.settled();
    assert.deepEqual(people.have("given_name", "alee", "achu"), ["", ""]);
  });

  test("whom poolsync has taken an address from is not written by it, and the new owner is once they are listed", async () => {
    const people = two();
    await people.update(ANN, { nickname: "had it" });
    await people.update("alee", { email: "former@example.com" }, { verified: "mark" });
    stage.clock.pass(LAG_MS);
    const { attributes } = await people.update("achu", { email: ANN }, { verified: "mark" });
    assert.deepEqual(attributes, { email: { is: "applied" } });
    // The list shows nobody with it: whether that is said or waited for is no matter here.
    await people.update(ANN, { given_name: "First" }).catch(() => undefined);
    assert.deepEqual(people.have("given_name", "alee"), [""]);
    stage.clock.pass(STALE_MS);
    await people.update(ANN, { given_name: "Second" });
    assert.deepEqual(people.have("given_name", "alee", "achu"), ["", "Second"]);
  });
});
