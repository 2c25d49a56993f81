/** The accounts of the pool, carried out again from the emulator's journal: who is made, deleted, and has which address. */
import { createHash } from "node:crypto";
import { flagOf } from "../../src/core/unit.ts";
import { CONTACTS, type Contact } from "../../src/emulator/contact.ts";
import type { LoggedWrite } from "./model.ts";
import { attributesAfter } from "./pool-history.ts";

/** An account that the pool begins with. */
export interface AccountSeed {
  readonly username: string;
  readonly sub: string;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Account {
  readonly username: string;
  readonly sub: string;
  readonly createdAt: number;
  readonly attributes: ReadonlyMap<string, string>;
}

/** The sub comes from the username, so that each life of the emulator has the same. */
export function seedOf(username: string, createdAt: number, attributes: AccountSeed["attributes"] = {}): AccountSeed {
  const hex = createHash("sha256").update(username).digest("hex");
  const sub = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
  return { username, sub, createdAt, attributes };
}

export interface Accounts {
  /** By sub. */
  readonly there: ReadonlyMap<string, Account>;
  /** Carries a write out. Answers the contacts that somebody may have got or lost by it. */
  take(write: LoggedWrite): readonly ContactValue[];
  /**
   * Whom a look for this value would find, by the pool's own rule: the one who has it, and of several the one who has
   * verified it.
   */
  bearer(contact: Contact, value: string): Account | undefined;
}

export interface ContactValue {
  readonly contact: Contact;
  readonly value: string;
}

export function createAccounts(seeds: Iterable<AccountSeed>): Accounts {
  const there = new Map<string, Account>();
  for (const seed of seeds) there.set(seed.sub, { ...seed, attributes: new Map(Object.entries(seed.attributes)) });

  function contactsOf(attributes: ReadonlyMap<string, string> | undefined): ContactValue[] {
    return CONTACTS.flatMap((contact) => {
      const value = attributes?.get(contact);
      return value === undefined ? [] : [{ contact, value }];
    });
  }

  const holders = (contact: Contact, value: string): Account[] =>
    [...there.values()].filter(({ attributes }) => attributes.get(contact) === value);
  const isVerified = ({ attributes }: Account, contact: Contact): boolean =>
    attributes.get(flagOf(contact) ?? "") === "true";

  /** Who verifies a value takes the flag from whoever had. */
  function moveFlags(account: Account): void {
    for (const { contact, value } of contactsOf(account.attributes)) {
      if (!isVerified(account, contact)) continue;
      for (const other of holders(contact, value)) {
        if (other.sub === account.sub || !isVerified(other, contact)) continue;
        there.set(other.sub, { ...other, attributes: new Map(other.attributes).set(flagOf(contact) ?? "", "false") });
      }
    }
  }

  return {
    there,
    take({ sub = "", username, at, attributes: written, deed }) {
      const before = there.get(sub);
      if (deed === "deleted") {
        there.delete(sub);
        return contactsOf(before?.attributes);
      }
      if (deed !== "made" && before === undefined) return [];
      const attributes = attributesAfter(before?.attributes ?? new Map(), written);
      const account = { username, sub, createdAt: before?.createdAt ?? at, attributes };
      there.set(sub, account);
      if (!Object.keys(written).some((name) => flagOf(name) !== undefined || name.endsWith("_verified"))) return [];
      moveFlags(account);
      return [...contactsOf(before?.attributes), ...contactsOf(attributes)];
    },
    bearer(contact, value) {
      const all = holders(contact, value);
      const [one, another] = all.length > 1 ? all.filter((each) => isVerified(each, contact)) : all;
      return another === undefined ? one : undefined;
    },
  };
}
