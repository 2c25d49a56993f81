import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { QueuedUnit, Ledger, Mailbox, Units } from "../../src/core/mailbox.ts";
import { changeWaits } from "../../src/core/waiting-change.ts";

const UNTRIED = { attempts: 0, faults: 0, deaths: 0, notBefore: 0 };
const held = (version: string, digest: string): QueuedUnit => ({ version, digest, body: "", run: "r-b", ...UNTRIED });
const NOTHING = { abandonedCalls: {}, lastSettled: {}, overwritten: {}, unresolvedCalls: {} };
const mailbox = (pending: Units, claimed?: Units): Mailbox => ({
  pool: "eu-west-1_A",
  username: "p:jane",
  priority: 10,
  pending,
  ...(claimed ? { claim: { token: "t", leaseUntil: 9, units: claimed } } : {}),
  ...NOTHING,
});

const cases: readonly {
  readonly title: string;
  readonly mailbox?: Mailbox;
  readonly ledger?: Ledger;
  readonly unit?: string;
  readonly waits: boolean;
}[] = [
  { title: "nothing waits", waits: false },
  { title: "something newer waits", mailbox: mailbox({ email: held("3", "new") }), waits: true },
  { title: "something newer is under way", mailbox: mailbox({}, { email: held("3", "new") }), waits: true },
  { title: "what waits is older", mailbox: mailbox({ email: held("1", "new") }), waits: false },
  { title: "what waits is there already", mailbox: mailbox({ email: held("3", "was") }), waits: false },
  {
    title: "what waits may have been written, and nobody heard of it",
    mailbox: mailbox({ email: held("3", "new") }),
    ledger: { email: { version: "3", digest: "" } },
    waits: true,
  },
  {
    title: "something waits of which the ledger knows nothing",
    mailbox: mailbox({ email: held("1", "new") }),
    ledger: {},
    waits: true,
  },
  { title: "something of another unit waits", mailbox: mailbox({ nickname: held("3", "new") }), waits: false },
  { title: "its flag waits", mailbox: mailbox({ email_verified: held("3", "new") }), waits: true },
  {
    title: "the address that a flag speaks of waits",
    mailbox: mailbox({ email: held("3", "new") }),
    unit: "email_verified",
    waits: true,
  },
  { title: "what waits is what is to be put", mailbox: mailbox({ email: held("3", "put") }), waits: false },
  { title: "what is to be put is under way", mailbox: mailbox({}, { email: held("3", "put") }), waits: false },
  {
    title: "what is to be put waits, and something else of its flag",
    mailbox: mailbox({ email: held("3", "put"), email_verified: held("4", "new") }),
    waits: true,
  },
  { title: "the unit is called as nothing is", mailbox: mailbox({}), unit: "constructor", waits: false },
];

describe("whether a change waits that the ledger does not know", () => {
  for (const {
    title,
    waits,
    unit = "email",
    mailbox: box,
    ledger = { email: { version: "2", digest: "was" } },
  } of cases)
    test(`${title}: ${waits ? "it does" : "none does"}`, () => {
      assert.equal(changeWaits({ ledger, ...(box ? { mailbox: box } : {}) }, unit, { email: "put" }), waits);
    });
});
