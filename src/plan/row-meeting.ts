/** Looks for the user of each row: among the users of the pool as a scan lists them, or in what poolsync wrote last. */
import { canonicalUsername } from "../core/pool-schema.ts";
import { isAliasAttribute } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import { composed } from "../core/text.ts";
import { isContact, isFlag } from "../core/unit.ts";
import { ROWS_PER_YIELD, yieldToEventLoop } from "./event-loop.ts";
import type { Planning } from "./planning.ts";
import type { WalkedRow } from "./row-bodies.ts";
import { unseen, type UnitDiff } from "./row-match.ts";
import type { RowMatches } from "./row-matches.ts";
import { lookAt } from "./user-look.ts";

export interface RowMeeting {
  /** `lookedAt`: epoch ms by the store's clock, before the look at the user began. True where some row would change them. */
  meet(user: ListedUser, lookedAt: number): Promise<boolean>;
  /** What the baseline says of rows whose user was not met. All users were. */
  finish(how: { readonly oneByOne: boolean }): Promise<void>;
}

const BATCH = 500;

/** `aliases`: of which of the attributes that users sign in with some row gives a value. */
export function createRowMeeting(planning: Planning, matches: RowMatches, aliases: ReadonlySet<string>): RowMeeting {
  const { profile, scratch, baseline, unlisted, names, nearNames, bodies } = planning;

  /** Notes which of the sign-in names that rows want are the user's already. */
  function noteOwned(user: ListedUser): void {
    for (const name of aliases) {
      const value = user.attributes.get(name) ?? "";
      if (value === "" || !scratch.isWanted(names.nameOf(name, value))) continue;
      const isOwner =
        profile.usernameAttributes.includes(name) ||
        !isContact(name) ||
        user.attributes.get(`${name}_verified`) === "true";
      if (isOwner) scratch.addOwner(names.nameOf(name, value), user.sub);
    }
  }

  async function meet(user: ListedUser, lookedAt: number): Promise<boolean> {
    noteOwned(user);
    let [met, differs] = [0, false];
    for (const { key, attribute, value, isTheirs } of names.leadingTo(user)) {
      const before = met;
      for (const { row, body } of scratch.rowsOf(key)) {
        const taken = bodies.taken(body);
        const { username, person: planned } = taken.change;
        const found = names.person(username, user, attribute, lookedAt);
        // A plan that was made before knows how its row named them, and when that was asked.
        const person = planned?.name === undefined ? found : { ...found, name: planned.name };
        const match = { ...lookAt(planning, taken, user), lookedAt, person };
        // Of two who are spelled alike, with accents of their own or not, the row means the one who is spelled as it says.
        const isAlike = value !== username && composed(value) === composed(username);
        const isVerified = !isAlike && (isTheirs || (!isAliasAttribute(attribute) && value === username));
        matches.add({ row, user: user.sub, isVerified, taken, match });
        // A flag waits its turn, and is looked at again, whatever is there.
        differs ||= taken.change.units.some(({ name }, at) => isFlag(name) || match.diffs[at]?.action !== "unchanged");
        if ((met += 1) % ROWS_PER_YIELD === 0) await yieldToEventLoop();
      }
      if (met === before) nearNames.note(value);
    }
    return differs;
  }

  return {
    meet,
    async finish({ oneByOne }) {
      if (baseline === "ledger") await meetLedgers(planning, matches);
      const isLeftToTheWrite = unlisted === "write" || (oneByOne && planning.asking.mayMiss);
      if (baseline === "live" && isLeftToTheWrite) matchUnlisted(planning, matches);
    },
  };
}

/** Compares with what poolsync wrote last, which knows users by their usernames only. */
async function meetLedgers(planning: Planning, matches: RowMatches): Promise<void> {
  let batch: WalkedRow[] = [];
  for (const walked of planning.bodies.walk()) {
    batch.push(walked);
    if (batch.length < BATCH) continue;
    await compareWithLedgers(planning, matches, batch);
    batch = [];
  }
  await compareWithLedgers(planning, matches, batch);
}

async function compareWithLedgers(
  { profile, keyring, ledgers }: Planning,
  matches: RowMatches,
  batch: readonly WalkedRow[],
): Promise<void> {
  const keyed = batch.map(({ row, taken }) => {
    const { username } = taken.change;
    return { row, taken, user: keyring.userKey(profile.id, canonicalUsername(profile, username)) };
  });
  const known = await ledgers(keyed.map(({ user }) => user));
  for (const { row, taken, user } of keyed) {
    const ledger = known.get(user) ?? {};
    const diffs = taken.change.units.map((unit): UnitDiff => {
      const last = Object.hasOwn(ledger, unit.name) ? ledger[unit.name] : undefined;
      return { action: last?.digest === keyring.valueDigest(unit.name, unit.value) ? "unchanged" : "write" };
    });
    const match = { username: taken.change.username, found: false, diffs };
    matches.add({ row, user, isVerified: false, taken, match });
  }
}

/** Leaves rows of usernames that the pool does not list to the write: see `Unlisted`. */
function matchUnlisted({ names, nearNames, bodies }: Planning, matches: RowMatches): void {
  // Matches are added after the walk, which reads them.
  const rows = bodies
    .walk()
    .filter(({ user, taken: { change } }) => {
      // Who had an account when a plan was made, and is not there any more, was deleted.
      if (user !== undefined || change.person?.account !== undefined) return false;
      // Who is called nearly so is meant more likely than somebody who is not listed yet.
      return names.mayBeUsername(change.username) && nearNames.hint(change.username) === undefined;
    })
    .toArray();
  for (const { row, taken } of rows) {
    const user = names.nameOf("username", taken.change.username);
    matches.add({ row, user, isVerified: false, taken, match: unseen(taken) });
  }
}
