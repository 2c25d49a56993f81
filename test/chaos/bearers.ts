/** Who bore which address or number, and when: read from the emulator's journal. */
import { createAccounts, type AccountSeed } from "./accounts.ts";
import type { LoggedWrite, Name } from "./model.ts";

/** A time in which an account bore a name: a look for it then would have found this account, and no other. */
export interface Bearing {
  readonly sub: string;
  readonly username: string;
  /** Epoch ms. */
  readonly from: number;
  to: number;
}

export interface Bearers {
  /** In their order. */
  of(name: Name): readonly Bearing[];
  /** Accounts that were deleted. */
  readonly deleted: ReadonlySet<string>;
  /** How often a name came to somebody else, or to nobody. */
  readonly handovers: number;
}

const keyOf = ({ contact, value }: Name): string => `${contact} ${value}`;

export function bearersOf(seeds: readonly AccountSeed[], writes: readonly LoggedWrite[]): Bearers {
  const accounts = createAccounts(seeds);
  const all = new Map<string, Bearing[]>();
  const deleted = new Set<string>();
  let handovers = 0;

  function look(name: Name, at: number): void {
    const bearings = all.get(keyOf(name)) ?? [];
    const last = bearings.at(-1);
    const bearer = accounts.bearer(name.contact, name.value);
    if (last?.to === Infinity) {
      if (last.sub === bearer?.sub) return;
      last.to = at;
      handovers += 1;
    }
    if (!bearer) return;
    bearings.push({ sub: bearer.sub, username: bearer.username, from: at, to: Infinity });
    all.set(keyOf(name), bearings);
  }

  for (const { attributes } of seeds) {
    for (const contact of ["email", "phone_number"] as const) {
      const value = attributes[contact];
      if (value !== undefined) look({ contact, value }, -Infinity);
    }
  }
  for (const write of writes) {
    if (write.deed === "deleted" && write.sub !== undefined) deleted.add(write.sub);
    for (const name of accounts.take(write)) look(name, write.at);
  }
  return { of: (name) => all.get(keyOf(name)) ?? [], deleted, handovers };
}
