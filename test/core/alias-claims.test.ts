import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  aliasTaken,
  canonicalAlias,
  judgeClaim,
  type AliasFault,
  type AliasStep,
} from "../../src/core/alias-claims.ts";

const stays: AliasStep = { is: "stays" };
const free: AliasStep = { is: "moves" };
const to = (user: string): AliasStep => ({ is: "moves", to: user });

interface Case {
  readonly title: string;
  readonly contested?: boolean;
  readonly owner?: string;
  readonly steps?: Readonly<Record<string, AliasStep>>;
  readonly says: AliasFault | undefined;
}

/** What `ann` may have. */
const cases: readonly Case[] = [
  { title: "nobody has it", says: undefined },
  { title: "she has it herself", owner: "ann", says: undefined },
  { title: "she has it herself, and another wants it", owner: "ann", contested: true, says: undefined },
  { title: "another wants it too", contested: true, says: "alias-wanted-twice" },
  { title: "its owner keeps it", owner: "bob", steps: { bob: stays }, says: "alias-owned" },
  { title: "its owner moves to a free one", owner: "bob", steps: { bob: free }, says: "alias-chain" },
  { title: "its owner wants hers", owner: "bob", steps: { bob: to("ann") }, says: "alias-swap" },
  { title: "three in a ring", owner: "bob", steps: { bob: to("cem"), cem: to("ann") }, says: "alias-swap" },
  { title: "three in a row", owner: "bob", steps: { bob: to("cem"), cem: free }, says: "alias-chain" },
  { title: "the last of the row keeps it", owner: "bob", steps: { bob: to("cem"), cem: stays }, says: "alias-owned" },
  { title: "others swap", owner: "bob", steps: { bob: to("cem"), cem: to("bob") }, says: "alias-owned" },
  {
    title: "the row leads into a ring of others",
    owner: "bob",
    steps: { bob: to("cem"), cem: to("dan"), dan: to("cem") },
    says: "alias-chain",
  },
];

describe("the judgement of who may have an alias", () => {
  for (const { title, contested = false, owner, steps = {}, says } of cases) {
    test(`${title}: ${says ?? "goes on"}`, () => {
      const stepOf = (user: string): AliasStep => steps[user] ?? stays;
      assert.equal(judgeClaim({ claimant: "ann", contested, owner }, stepOf), says);
    });
  }
});

describe("what a call takes from others", () => {
  const profile = { aliasAttributes: ["email", "preferred_username"] };
  const sent = (...pairs: readonly (readonly [string, string])[]) => pairs.map(([Name, Value]) => ({ Name, Value }));
  const contacts = { email: { value: "there@example.com", verified: false } };
  const email = (value: string) => ({ attribute: "email", value });

  for (const [title, attributes, taken] of [
    ["an address that is said to be verified", sent(["email", "a@b.c"], ["email_verified", "true"]), email("a@b.c")],
    ["nothing by an address that is to be confirmed", sent(["email", "a@b.c"]), undefined],
    ["nothing by one that is said not to be", sent(["email", "a@b.c"], ["email_verified", "false"]), undefined],
    ["the address that is there, by its flag alone", sent(["email_verified", "true"]), email("there@example.com")],
    ["nothing by a flag that is taken away", sent(["email_verified", "false"]), undefined],
    ["nothing by an address that is cleared", sent(["email", ""]), undefined],
    [
      "nothing where nobody signs in with it",
      sent(["phone_number", "+1"], ["phone_number_verified", "true"]),
      undefined,
    ],
    ["a preferred username", sent(["preferred_username", "ann"]), { attribute: "preferred_username", value: "ann" }],
    ["nothing by a preferred username that is cleared", sent(["preferred_username", ""]), undefined],
    ["nothing by any other attribute", sent(["nickname", "ann"]), undefined],
  ] as const) {
    test(title, () => assert.deepEqual(aliasTaken(profile, attributes, contacts), taken));
  }

  test("nothing by the flag of an address that is not there", () => {
    assert.equal(aliasTaken(profile, sent(["email_verified", "true"]), {}), undefined);
    assert.equal(aliasTaken(profile, sent(["email_verified", "true"]), undefined), undefined);
  });

  test("an alias has one spelling where the pool ignores case, but for numbers, which have none", () => {
    const alias = { attribute: "email", value: "Ann@B.C" } as const;
    assert.equal(canonicalAlias({ caseSensitive: true }, alias), "Ann@B.C");
    assert.equal(canonicalAlias({ caseSensitive: false }, alias), "ann@b.c");
    assert.equal(canonicalAlias({ caseSensitive: false }, { ...alias, attribute: "phone_number" }), "Ann@B.C");
  });
});
