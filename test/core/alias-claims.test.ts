import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judgeClaim, type AliasFault, type AliasStep } from "../../src/core/alias-claims.ts";

const stays: AliasStep = { is: "stays" };
const free: AliasStep = { is: "moves" };
const to = (user: string): AliasStep => ({ is: "moves", to: user });

interface Case {
  readonly title: string;
  readonly rivals?: number;
  readonly owner?: string;
  readonly steps?: Readonly<Record<string, AliasStep>>;
  readonly says: AliasFault | undefined;
}

/** What `ann` may have. */
const cases: readonly Case[] = [
  { title: "nobody has it", says: undefined },
  { title: "she has it herself", owner: "ann", says: undefined },
  { title: "she has it herself, and another wants it", owner: "ann", rivals: 1, says: undefined },
  { title: "another wants it too", rivals: 1, says: "alias-wanted-twice" },
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
  for (const { title, rivals = 0, owner, steps = {}, says } of cases) {
    test(`${title}: ${says ?? "goes on"}`, () => {
      const stepOf = (user: string): AliasStep => steps[user] ?? stays;
      assert.equal(judgeClaim({ claimant: "ann", rivals, owner }, stepOf), says);
    });
  }
});
