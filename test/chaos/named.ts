/**
 * People whom changes name by an address or a number, which somebody else passes on among them: nobody else asks
 * poolsync for them. No change touches what they are named by.
 */
import { randomFrom } from "../support/random.ts";
import { seedOf, type AccountSeed } from "./accounts.ts";
import type { FeedFile, Single } from "./load.ts";
import { ordinalOf, saidBy, type Name, type SentChange } from "./model.ts";

const COUNT = 12;
/** Addresses, and as many numbers, that nobody has at first. */
const SPARE = 2;
const PREFIX = "named";

/** How long the list of users does not show what becomes of them. Of the others it shows all at once. */
export const LIST_LAG_MS = 1_500;
export const lagOf = (username: string): number => (username.startsWith(PREFIX) ? LIST_LAG_MS : 0);

const addressOf = (index: number): string => `n${index}.zQx7@example.net`;
const numberOf = (index: number): string => `+997073${String(index).padStart(7, "0")}`;

/** A username for the place of one of them; `life` counts those whom the place has had under other usernames. */
export const usernameOf = (place: number, life = 0): string => `${PREFIX}${place}${life === 0 ? "" : `-${life}`}.zQx7`;

export interface Person {
  username: string;
  email: string;
  phone_number: string;
}

/** As they stand at first, and what nobody has then. */
export function namedPeople(): { people: Person[]; spare: { email: string[]; phone_number: string[] } } {
  const people = Array.from({ length: COUNT }, (_, index) => ({
    username: usernameOf(index),
    email: addressOf(index),
    phone_number: numberOf(index),
  }));
  const left = Array.from({ length: SPARE }, (_, index) => COUNT + index);
  return { people, spare: { email: left.map(addressOf), phone_number: left.map(numberOf) } };
}

/** They were there long before, so that a list that lags shows them. */
const AGE_MS = 3_600_000;

export function namedSeeds(now: number): readonly AccountSeed[] {
  return namedPeople().people.map(({ username, ...contacts }) =>
    seedOf(username, now - AGE_MS, { ...contacts, email_verified: "true", phone_number_verified: "true" }),
  );
}

export interface NamedLoad {
  /** A change that is queued, or with `waits` one whose outcome is waited for. */
  single(now: number, waits: boolean): Single;
  /** A file that names everybody by e-mail address. */
  feed(now: number): FeedFile;
}

const ATTRIBUTES = ["given_name", "family_name", "custom:department"] as const;
const NAMES: readonly [Name, ...Name[]] = [
  { contact: "email", value: addressOf(0) },
  ...Array.from({ length: COUNT + SPARE - 1 }, (_, index): Name => ({ contact: "email", value: addressOf(index + 1) })),
  ...Array.from({ length: COUNT + SPARE }, (_, index): Name => ({ contact: "phone_number", value: numberOf(index) })),
];
/** Above those of all other changes, so that no two have the same version. */
const FIRST_SEQUENCE = 5_000_000;
const ROW_SHARE = 0.7;
const AGAIN_SHARE = 0.2;

export function createNamedLoad(seed: number): NamedLoad {
  const random = randomFrom(seed * 37 + 11);
  let sequence = FIRST_SEQUENCE;
  let feeds = 0;
  let lastAsOfMs = 0;
  /** By name. Of values without a version that are under way at once nobody could tell which was said again. */
  const lastSingles = new Map<string, Omit<SentChange, "sentAt" | "times">>();

  const picked = (): readonly string[] => {
    const some = random.some(ATTRIBUTES, 0.5);
    return some.length > 0 ? some : [ATTRIBUTES[0]];
  };

  return {
    single(now, waits) {
      sequence += 1;
      const id = `${waits ? "w" : "n"}.${sequence}`;
      const name = random.pick(NAMES);
      const before = !waits && random.chance(AGAIN_SHARE) ? lastSingles.get(name.value) : undefined;
      const change = {
        id,
        ...(before ? { says: before.says ?? before.id } : {}),
        username: name.value,
        name,
        attributes: before?.attributes ?? picked(),
        ...(waits ? { looks: true as const } : { ordinal: ordinalOf(now, sequence) }),
      };
      if (!waits) lastSingles.set(name.value, change);
      const values = Object.fromEntries(change.attributes.map((attribute) => [attribute, saidBy(change, attribute)]));
      const order = { id, username: name.value, attributes: values };
      return { change, order: { ...order, ...(waits ? { waits } : { version: { timeMs: now, sequence } }) } };
    },
    feed(now) {
      feeds += 1;
      lastAsOfMs = Math.max(now, lastAsOfMs + 1);
      const lines = [`email,${ATTRIBUTES.join(",")}`];
      const addresses = NAMES.filter(({ contact }) => contact === "email");
      const changes = random.some(addresses, ROW_SHARE).map((name, index) => {
        const ordinal = ordinalOf(lastAsOfMs, index + 1);
        const attributes = picked();
        const change = { id: `m${feeds}.${index + 1}`, username: name.value, name, attributes, ordinal };
        const cells = ATTRIBUTES.map((each) => (attributes.includes(each) ? saidBy(change, each) : ""));
        lines.push(`${name.value},${cells.join(",")}`);
        return { ...change, looks: true as const };
      });
      const asOf = new Date(lastAsOfMs).toISOString();
      return { name: `names-${feeds}.csv`, namedBy: "email", csv: `${lines.join("\n")}\n`, asOf, changes };
    },
  };
}
