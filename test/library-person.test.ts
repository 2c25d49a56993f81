/** An application names people by what they have: whoever has it when they are asked for is written. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import type { PoolDefinition } from "../src/emulator/pool-definition.ts";
import { byHand, runCommand } from "./cli/command-run.ts";
import { openLibrary, type LibraryStage, type Person, type PoolOfPeople } from "./support/library-stage.ts";

const ANN = "ann@example.com";
const NUMBER = "+390612345678";
/** Longer than a process uses an answer of its own. */
const STALE_MS = 61_000;

const BY_ALIAS = { aliasAttributes: ["email", "phone_number"] } as const satisfies PoolDefinition;
const BY_SIGN_IN = { usernameAttributes: ["email", "phone_number"] } as const satisfies PoolDefinition;

type Values = Readonly<Record<string, string>>;
const verified = (email: string): Values => ({ email, email_verified: "true" });
const called = (phone_number: string): Values => ({ phone_number, phone_number_verified: "true" });

/** What names one person, how it passes on, and in which pool. */
interface Passing {
  readonly title: string;
  readonly pool: Omit<PoolDefinition, "id">;
  /** What the text is that names the person, who has `hers`. */
  readonly name: string;
  readonly hers: Values;
  /** What the former owner has then; nothing where they are left alone. */
  readonly former?: Values;
}

const PASSING: readonly Passing[] = [
  { title: "an address", pool: BY_ALIAS, name: ANN, hers: verified(ANN), former: verified("former@example.com") },
  { title: "an address that another verifies", pool: BY_ALIAS, name: ANN, hers: verified(ANN) },
  {
    title: "an address that people sign in with",
    pool: BY_SIGN_IN,
    name: ANN,
    hers: verified(ANN),
    former: verified("former@example.com"),
  },
  { title: "a number", pool: BY_ALIAS, name: NUMBER, hers: called(NUMBER), former: called("+390612345601") },
  { title: "a number that another verifies", pool: BY_ALIAS, name: NUMBER, hers: called(NUMBER) },
  {
    title: "a number that people sign in with",
    pool: BY_SIGN_IN,
    name: NUMBER,
    hers: called(NUMBER),
    former: called("+390612345601"),
  },
  {
    title: "a preferred username",
    pool: { aliasAttributes: ["preferred_username"] },
    name: "annie",
    hers: { preferred_username: "annie" },
    former: { preferred_username: "former" },
  },
  {
    title: "an address in another spelling, where case does not count",
    pool: { ...BY_ALIAS, caseSensitive: false },
    name: "ANN@Example.com",
    hers: verified(ANN),
    former: verified("former@example.com"),
  },
];

describe("who is named by", () => {
  let stage: LibraryStage;
  /** Pools in which a change was queued for somebody whose name has passed on. */
  const passed: string[] = [];
  before(async () => {
    stage = await openLibrary();
  });
  after(() => stage.close());

  const two = ({ pool, hers }: Pick<Passing, "pool" | "hers">): PoolOfPeople => {
    const people: Person[] = [
      { who: "alee", attributes: pool.usernameAttributes ? { ...verified("alee@example.com"), ...hers } : hers },
      { who: "achu", attributes: pool.usernameAttributes ? verified("achu@example.com") : {} },
    ];
    return stage.people(pool, people);
  };
  const write = (people: PoolOfPeople, who: string, values: Values): Promise<void> =>
    byHand(stage.emulator, people.username(who), values, people.pool.id);
  const passOn = async (people: PoolOfPeople, { hers, former }: Passing): Promise<void> => {
    if (former) await write(people, "alee", former);
    await write(people, "achu", hers);
  };

  for (const passing of PASSING) {
    test(`${passing.title} is who has it a minute later, for update()`, async () => {
      const people = two(passing);
      const first = await people.update(passing.name, { given_name: "First" });
      assert.deepEqual(first.attributes, { given_name: { is: "applied" } });
      assert.deepEqual(people.have("given_name", "alee", "achu"), ["First", ""]);
      await passOn(people, passing);
      stage.clock.pass(STALE_MS);
      const second = await people.update(passing.name, { given_name: "Second" });
      assert.deepEqual(second.attributes, { given_name: { is: "applied" } });
      assert.deepEqual(people.have("given_name", "alee", "achu"), ["First", "Second"]);
      assert.notEqual(first.user, second.user);
    });

    test(`${passing.title} is who has it a minute later, for enqueue()`, async () => {
      const people = two(passing);
      await people.enqueue(passing.name, { given_name: "First" });
      await people.enqueue(passing.name, { given_name: "Later" });
      await stage.settled();
      await passOn(people, passing);
      stage.clock.pass(STALE_MS);
      await people.enqueue(passing.name, { given_name: "Second" });
      await stage.settled();
      assert.deepEqual(people.have("given_name", "alee", "achu"), ["Later", "Second"]);
    });

    test(`${passing.title} is nobody where it passes on while the change waits`, async () => {
      const people = two(passing);
      passed.push(people.pool.id);
      await people.enqueue(passing.name, { given_name: "First" });
      await passOn(people, passing);
      stage.clock.pass(STALE_MS);
      await stage.settled();
      assert.deepEqual(people.have("given_name", "alee", "achu"), ["", ""]);
    });
  }

  test("what they had before a minute is told so by a letter", async () => {
    await stage.poolsync.close();
    const { stdout } = await runCommand(["dead", "list", "--data-dir", stage.dataDir, "--json"]);
    const { groups } = z
      .object({ groups: z.array(z.object({ pool: z.string(), kind: z.string(), reason: z.string() })) })
      .parse(JSON.parse(stdout));
    assert.deepEqual(
      groups.map(({ pool, kind, reason }) => [pool, kind, reason].join(" ")).toSorted(),
      passed.map((pool) => `${pool} user-not-found no-longer-theirs`).toSorted(),
    );
  });
});
