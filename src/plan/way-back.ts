/**
 * The way back of a run: what was there before each of its writes, kept sealed, and the rows that would put it there
 * again. A value that was changed since the run wrote it is left alone: each row says what must be there. So is a value
 * that is about to change, because a change of it waits.
 */
import { z } from "zod";
import { defined } from "../core/defined.ts";
import { CLOCKS_APART_MS } from "../core/mailbox.ts";
import { PLAN_FAULTS } from "../core/plan-fault.ts";
import { canonicalUsername, type PoolProfile } from "../core/pool-schema.ts";
import { contactOf, isContact, type Unit } from "../core/unit.ts";
import { changeWaits } from "../core/waiting-change.ts";
import type { Keyring } from "../store/keyring.ts";
import { beforeImagePlace } from "../store/sealed-unit.ts";
import type { BeforeImage, BeforeImages } from "../store/before-images.ts";
import type { Mailboxes } from "../store/mailboxes.ts";
import { isSent, type PlannedRow, type PlannedUnit } from "./planned-row.ts";
import type { PlannedRecord } from "./row-match.ts";
import { stateName } from "./unit-state.ts";

/** How long what was there before a run is kept. */
const KEPT_MS = 30 * 24 * 60 * 60_000;
/** How many rows that are to be written one run may keep: what is kept is in Redis's memory. */
export const MAX_IMAGE_ROWS = 200_000;

const BATCH = 500;

const imageForm = z.object({
  name: z.string(),
  /** What was there; blank where nothing was. */
  value: z.string(),
  /** Of an address or number. */
  flag: z.string().optional(),
  /** Names what the run left there. */
  after: z.string(),
});
export const entryForm = imageForm.extend({
  username: z.string(),
  line: z.number(),
  /** Of the account that the run was to write; absent in what was kept before accounts were. */
  sub: z.string().optional(),
});

/**
 * Keeps what the plan's scan found of everything that the run is to write. Answers false where that is more than may be
 * kept; what was kept till then goes by itself.
 */
export async function keepBeforeImages(
  beforeImages: BeforeImages,
  { keyring, pool }: { readonly keyring: Keyring; readonly pool: string },
  run: string,
  rows: Iterable<PlannedRow>,
): Promise<boolean> {
  let written = 0;
  /** By user and unit: what a cut run has written of a user is known apart from what it has not. */
  const batch = new Map<string, string>();
  const flush = async (): Promise<void> => {
    const all = [...batch].map(([unit, body]): BeforeImage => ({ unit, body }));
    if (all.length > 0) await beforeImages.keep(run, all, KEPT_MS);
    batch.clear();
  };
  for (const row of rows) {
    if (row.kind === "fault") continue;
    const units = row.units.flatMap((plannedUnit) => imagesOf(keyring, plannedUnit));
    if (units.length === 0) continue;
    if ((written += 1) > MAX_IMAGE_ROWS) return false;
    const { username, line, person } = row;
    const sub = person?.account?.sub;
    const user = keyring.userKey(pool, username);
    for (const unit of units) {
      const name = `${user} ${unit.name}`;
      batch.set(name, keyring.seal(beforeImagePlace(run, name), JSON.stringify({ username, line, sub, ...unit })));
    }
    if (batch.size >= BATCH) await flush();
  }
  await flush();
  return true;
}

function imagesOf(keyring: Keyring, { unit, action, was }: PlannedUnit): z.infer<typeof imageForm>[] {
  if (!isSent(action) || was === undefined) return [];
  const { name } = unit;
  const { value, flag } = was;
  return [{ name, value, flag, after: stateName(keyring, name, afterOf(unit, was)) }];
}

/** What is there once the unit is written. */
function afterOf({ name, value }: Unit, was: NonNullable<PlannedUnit["was"]>): NonNullable<PlannedUnit["was"]> {
  if (value.kind === "as-is") return { value: was.value, flag: String(value.verified) };
  if (value.kind === "clear") return isContact(name) ? { value: "", flag: "" } : { value: "" };
  if (!isContact(name)) return { value: value.text };
  const isVerified = value.verified === "mark" || (value.verified === "keep" && isTrue(was.flag));
  return { value: value.text, flag: String(isVerified) };
}

function isTrue(flag: string | undefined): boolean {
  return flag?.toLowerCase() === "true";
}

export interface WayBack {
  /** A row for each unit: one that was changed since keeps no other from its way back. */
  records(): AsyncIterable<PlannedRecord>;
}

/** How many values' mailboxes are looked at at a time. */
const LOOKS = 100;
const CHANGE_WAITS = {
  reason: "changed-since-plan",
  detail: "A newer change of the value waits to be delivered, so what was there before is not put back.",
};

/**
 * Undefined where nothing is kept. `timeMs` is the time of the values, which is that of the undoing; `begunAt` is when
 * the run began: where no account was kept, a user that was created later is never meant.
 */
export async function openWayBack(
  { beforeImages, mailboxes }: { readonly beforeImages: BeforeImages; readonly mailboxes: Pick<Mailboxes, "read"> },
  { keyring, profile }: { readonly keyring: Keyring; readonly profile: PoolProfile },
  run: string,
  { timeMs, begunAt }: { readonly timeMs: number; readonly begunAt: number },
): Promise<WayBack | undefined> {
  const kept = beforeImages.read(run)[Symbol.asyncIterator]();
  const { done } = await kept.next();
  await kept.return?.();
  if (done === true) return undefined;
  let sequence = 0;
  const recordOf = async (image: BeforeImage): Promise<PlannedRecord> => {
    const entry = entryOf(keyring, run, image);
    if (entry === undefined) return { kind: "fault", line: 0, reason: "altered", detail: PLAN_FAULTS.altered };
    const { username, line, sub, ...unit } = entry;
    const user = keyring.userKey(profile.id, canonicalUsername(profile, username));
    const version = { timeMs, sequence: (sequence += 1) };
    const isGone = unit.after === stateName(keyring, unit.name, { value: "", flag: "" });
    const units = backOf(profile, unit, isGone);
    // Values that an undo left when it was cut wait to be delivered, and are put once more.
    const desired = Object.fromEntries(units.map(({ name, value }) => [name, keyring.valueDigest(name, value)]));
    if (changeWaits(await mailboxes.read(user), unit.name, desired)) return { kind: "fault", line, ...CHANGE_WAITS };
    // Another user may have the username by now: then nothing is put back.
    const person = sub === undefined ? undefined : { account: { sub, createdAt: 0 } };
    const madeBefore = sub === undefined ? begunAt + CLOCKS_APART_MS : undefined;
    const change = defined({ username, units, version, person });
    const before = { [unit.name]: unit.after };
    return defined({ kind: "change" as const, line, invalid: [], change, before, madeBefore });
  };
  return {
    async *records() {
      sequence = 0;
      let images: BeforeImage[] = [];
      for await (const image of beforeImages.read(run)) {
        images.push(image);
        if (images.length < LOOKS) continue;
        yield* await Promise.all(images.map(recordOf));
        images = [];
      }
      yield* await Promise.all(images.map(recordOf));
    },
  };
}

/** Undefined where it was altered in the store. */
function entryOf(keyring: Keyring, run: string, { unit, body }: BeforeImage): z.infer<typeof entryForm> | undefined {
  const text = keyring.open(beforeImagePlace(run, unit), body);
  return text === undefined ? undefined : entryForm.parse(JSON.parse(text));
}

/** What puts a unit back as it was. `isGone` says that the run left nothing there. */
function backOf(profile: PoolProfile, { name, value, flag }: z.infer<typeof imageForm>, isGone: boolean): Unit[] {
  if (contactOf(name) !== undefined) return [{ name, value: { kind: "as-is", verified: isTrue(flag) } }];
  if (value === "") return [{ name, value: { kind: "clear" } }];
  if (!isContact(name)) return [{ name, value: { kind: "text", text: value } }];
  if (isTrue(flag)) return [{ name, value: { kind: "text", text: value, verified: "mark" } }];
  if (!profile.autoVerified.includes(name)) return [{ name, value: { kind: "text", text: value, verified: "ask" } }];
  // Cognito would ask the person to verify a value that was unverified before. So the value keeps the flag that is
  // there, and the flag is then taken away. Where nothing is there, the value comes unverified.
  const restored: Unit = { name, value: { kind: "text", text: value, verified: "keep" } };
  return isGone ? [restored] : [restored, { name: `${name}_verified`, value: { kind: "as-is", verified: false } }];
}
