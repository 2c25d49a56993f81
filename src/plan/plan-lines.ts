/**
 * A plan as lines of JSON, to be carried out later: one a user, between a header and a signature by the namespace's own
 * key. So only processes of the namespace can carry it out, unaltered and for a limited time.
 */
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { DIFFERENCES } from "../core/difference.ts";
import { defined } from "../core/defined.ts";
import type { GuardSettings } from "../core/guards.ts";
import { nextStep, sentence } from "../core/sentence.ts";
import { bodyOf, personOf, valueOf, type Keyring, type Place } from "../store/keyring.ts";
import type { Run } from "../store/runs.ts";
import type { Target } from "../store/store.ts";
import { createSelection } from "./change-kinds.ts";
import { exampleOf, shownText, type Example } from "./figures.ts";
import { openPlanCopy } from "./plan-copy.ts";
import { PlanFileError } from "./plan-file-error.ts";
import { notPutForm, type NotPut } from "./not-put.ts";
import { ACTIONS, isSent } from "./planned-row.ts";
import type { Plan } from "./plan.ts";
import type { PlannedRecord } from "./row-match.ts";

const text = z.string();
const header = z.object({
  poolsync: z.literal("plan"),
  /** 1 before format 3 of the store: signed with the digest key. */
  format: z.literal([1, 2]),
  id: text,
  feed: text,
  target: z.object({ pool: text, endpoint: text, region: text, arn: text }),
  madeAt: z.number(),
  expiresAt: z.number(),
  asOf: z.number(),
  users: z.number(),
  /** Of the feed, all of them. */
  rows: z.object({ read: z.number(), faulty: z.number() }),
  /** Calls that a scan of the pool took; 0 where it was not scanned. */
  scanPages: z.number(),
  /** True where it breaks guards: it is applied only where it is approved. */
  guarded: z.boolean(),
  protectUsers: z.array(text),
  protectAttributes: z.array(text),
  /** What people are shown of it; absent in a file, which is made of what was just shown. */
  summary: z.exactOptional(text),
  /** What of the feed was not planned, sealed: the first of it. Absent where the summary has it, and where all was. */
  notPut: z.exactOptional(text),
  /** For whose approval it is kept; absent in a file, and in what was kept before it was said. */
  run: z.exactOptional(text),
});
export type PlanHeader = z.infer<typeof header>;

const entry = z.object({
  line: z.number(),
  /** Sealed in a file. */
  username: text,
  /** Sealed likewise: the account that it is for, and how its row named it. Absent in plans from before it was kept. */
  person: text.optional(),
  timeMs: z.number(),
  sequence: z.number(),
  units: z.array(
    z.object({
      name: text,
      body: text,
      before: text.optional(),
      /** What an approver is shown of it beside its value; absent in a file, and where many are of its kind. */
      shown: z.exactOptional(
        z.object({
          deed: z.enum(ACTIONS),
          difference: z.exactOptional(z.enum(DIFFERENCES)),
          before: z.exactOptional(text),
        }),
      ),
    }),
  ),
});
const signature = z.object({ signature: text });

/** What a plan may be shown as without its rows. */
export type PlanSummary = Pick<
  Plan,
  "id" | "feed" | "figures" | "broken" | "blind" | "examples" | "kinds" | "notPut" | "origin"
>;

export interface PlanFacts {
  readonly asOfMs: number;
  readonly guards: Pick<GuardSettings, "protectUsers" | "protectAttributes">;
  /** Epoch ms. */
  readonly now: number;
  /** How long it may be carried out. */
  readonly lifeMs: number;
  /** The run for whose approval it is kept: it is shown before. Absent for a file. */
  readonly run?: string;
}

/** The lines of a plan, without their ends. */
export function* planLines(
  plan: Plan,
  { target, keyring }: { readonly target: Target; readonly keyring: Keyring },
  facts: PlanFacts,
): Generator<string> {
  const signer = keyring.signer("plan file");
  const signed = (document: object): string => {
    const line = JSON.stringify(document);
    signer.update(`${line}\n`);
    return line;
  };
  const { id, feed, figures, broken, blind, examples, kinds, notPut, origin } = plan;
  const isShown = facts.run === undefined ? undefined : createSelection(kinds);
  const seal = (content: string): string => (facts.run === undefined ? keyring.seal(placeIn(id), content) : content);
  const head: PlanHeader = defined({
    poolsync: "plan" as const,
    format: 2 as const,
    id,
    feed,
    target: { ...target },
    madeAt: facts.now,
    expiresAt: facts.now + facts.lifeMs,
    asOf: facts.asOfMs,
    users: figures.users.changed,
    rows: { ...figures.rows },
    scanPages: figures.scan?.pages ?? 0,
    guarded: broken.length > 0,
    protectUsers: [...facts.guards.protectUsers],
    protectAttributes: [...facts.guards.protectAttributes],
    summary:
      facts.run === undefined
        ? undefined
        : seal(JSON.stringify({ figures, broken, blind, examples, kinds, notPut, origin })),
    notPut: facts.run !== undefined || notPut.length === 0 ? undefined : seal(JSON.stringify(notPut)),
    run: facts.run,
  });
  yield signed(head);
  for (const row of plan.rows()) {
    if (row.kind === "fault") continue;
    const units = row.units.flatMap((plannedUnit) => {
      const { unit, action, beforeName } = plannedUnit;
      if (!isSent(action)) return [];
      const example = isShown && exampleOf(row, plannedUnit);
      const shown = example && isShown(example) ? shownOf(example) : undefined;
      return [{ name: unit.name, body: seal(bodyOf(unit.value)), before: beforeName, shown }];
    });
    if (units.length === 0) continue;
    const person = row.person && seal(JSON.stringify(row.person));
    yield signed({ line: row.line, username: seal(row.username), person, ...row.version, units });
  }
  yield JSON.stringify({ signature: signer.digest() });
}

function shownOf({ deed, difference, before }: Example): object {
  return { deed, difference, before };
}

/** The run for whose approval a plan is kept. */
export type PlanRun = Pick<Run, "id" | "pool" | "feed" | "asOf">;

export interface PlanReading {
  readonly keyring: Keyring;
  /** Epoch ms. */
  readonly now: number;
  /** The path of a file, which messages name, or the run under which it is kept. */
  readonly of: string | PlanRun;
}

/** A plan that is as it was made. */
export interface WrittenPlan {
  readonly header: PlanHeader;
  /** What makes two applications of it the same run. */
  readonly signature: string;
  /** What it was made to be shown as, where it was. */
  readonly summary: PlanSummary | undefined;
  /** The first of what of its feed is not in it, and why. */
  readonly notPut: readonly NotPut[];
}

/** A plan that is carried out. */
export interface OpenedPlan extends WrittenPlan {
  /** From the lines that were checked, and no others. */
  records(): AsyncIterable<PlannedRecord>;
  close(): Promise<void>;
}

/**
 * Reads a plan through: throws a PlanFileError where it was altered, cut off, is another's or has expired. `keep` is
 * given each of its lines but the first and the last.
 */
export async function checkPlan(
  lines: AsyncIterable<string>,
  reading: PlanReading,
  keep: (line: string) => Promise<void> = async () => {},
): Promise<WrittenPlan> {
  const { keyring, now, of } = reading;
  let signer = keyring.signer("plan file");
  let head: PlanHeader | undefined;
  let signed: string | undefined;
  for await (const line of lines) {
    if (signed !== undefined) throw altered(of);
    const document = parse(line);
    const last = signature.safeParse(document);
    if (head !== undefined && last.success) {
      signed = last.data.signature;
      continue;
    }
    if (head === undefined) {
      head = headerOf(document, of);
      if (head.format === 1) signer = keyring.namer("plan file");
    } else await keep(line);
    signer.update(`${line}\n`);
  }
  if (head === undefined || signed === undefined || !isSame(signed, signer.digest()) || !belongsTo(head, of)) {
    throw altered(of);
  }
  if (head.expiresAt <= now) {
    const hours = Math.round((head.expiresAt - head.madeAt) / 3_600_000);
    throw new PlanFileError(
      `The plan in \`${nameOf(of)}\` is older than ${hours} hours, and is not applied any more: plan again.`,
      { isExpired: true },
    );
  }
  const summary = summaryOf(head, reading);
  const notPut = notPutForm.array().parse(summary?.notPut ?? notPutIn(head, reading));
  return { header: head, signature: signed, summary, notPut };
}

/** Checks a plan as `checkPlan` does, and copies it meanwhile: it is read once. `directory` is where the copy is made. */
export async function openPlan(
  lines: AsyncIterable<string>,
  reading: PlanReading,
  directory: string,
): Promise<OpenedPlan> {
  const copy = await openPlanCopy(directory, reading.keyring);
  try {
    const written = await checkPlan(lines, reading, (line) => copy.add(line));
    const records = () => recordsOf(copy.lines(), written.header, reading);
    return { ...written, records, close: () => copy.close() };
  } catch (error) {
    await copy.close();
    throw error;
  }
}

async function* recordsOf(
  lines: AsyncIterable<string>,
  header: PlanHeader,
  reading: PlanReading,
): AsyncGenerator<PlannedRecord> {
  const open = (sealed: string): string => openText(header, sealed, reading);
  for await (const text of lines) {
    const parsed = entry.safeParse(parse(text));
    if (!parsed.success) throw altered(reading.of);
    const { line, username, person, timeMs, sequence, units } = parsed.data;
    const change = {
      username: open(username),
      ...defined({ person: person === undefined ? undefined : personOf(open(person)) }),
      version: { timeMs, sequence },
      units: units.map(({ name, body }) => ({ name, value: valueOf(open(body)) })),
    };
    const before = Object.fromEntries(units.map((unit) => [unit.name, unit.before ?? ""]));
    yield { kind: "change", line, change, invalid: [], before };
  }
}

/** What people are shown of a line of a plan that is kept for a run: the line itself was checked with the plan. */
export function changesIn(line: string): readonly Example[] {
  const parsed = entry.safeParse(parse(line));
  if (!parsed.success) return [];
  const { line: number, username, units } = parsed.data;
  return units.flatMap(({ name, body, shown }) => {
    const value = shown && valueOf(body);
    return value ? [defined({ line: number, username, attribute: name, ...shown, after: shownText(value) })] : [];
  });
}

/** Only what was kept in the store before its format 3 is of format 1. */
function headerOf(document: unknown, of: PlanReading["of"]): PlanHeader {
  const parsed = header.safeParse(document);
  if (parsed.success && (parsed.data.format === 2 || typeof of !== "string")) return parsed.data;
  if (typeof of !== "string") throw altered(of);
  throw new PlanFileError(
    sentence`\`${of}\` is no plan of this version of poolsync: make one with ${nextStep("plan", "--out", "FILE")} and what \`sync\` would be given.`,
  );
}

/** A plan that is kept for one run is not another's, and no file's. */
function belongsTo({ format, run, feed, target, asOf, summary }: PlanHeader, of: PlanReading["of"]): boolean {
  if (typeof of === "string") return run === undefined;
  if (run !== undefined) return run === of.id;
  // Kept before it said its run.
  return format === 1 && summary !== undefined && feed === of.feed && target.pool === of.pool && asOf === of.asOf;
}

/** Where the texts of a plan file are sealed; which is whose is said by the signature. */
function placeIn(plan: string): Place {
  return ["plan", plan];
}

/** What is kept in the store is sealed as a whole, so its texts are not; those of before format 3 of the store may be. */
function openText({ id, format }: PlanHeader, kept: string, { keyring, of }: PlanReading): string {
  if (typeof of !== "string" && format === 2) return kept;
  const text = typeof of === "string" ? keyring.open(placeIn(id), kept) : keyring.openFormer(kept);
  if (text === undefined) throw altered(of);
  return text;
}

function summaryOf(header: PlanHeader, reading: PlanReading): PlanSummary | undefined {
  const { id, feed, summary } = header;
  const parsed: unknown = summary === undefined ? undefined : JSON.parse(openText(header, summary, reading));
  // What was kept before guards were said to be blind was compared with the pool.
  return isSummary(parsed) ? { notPut: [], blind: [], kinds: [], ...parsed, id, feed } : undefined;
}

function notPutIn(header: PlanHeader, reading: PlanReading): unknown {
  return header.notPut === undefined ? [] : JSON.parse(openText(header, header.notPut, reading));
}

type Later = "notPut" | "blind" | "kinds";

/** It was signed by this namespace, so it has its form; only the parts that it always had are looked for. */
function isSummary(
  value: unknown,
): value is Omit<PlanSummary, "id" | "feed" | Later> & Partial<Pick<PlanSummary, Later>> {
  return typeof value === "object" && value !== null && "figures" in value && "broken" in value && "examples" in value;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // The text may hold a person's data. The caller says that it was altered.
    return undefined;
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function nameOf(of: PlanReading["of"]): string {
  return typeof of === "string" ? of : of.id;
}

function altered(of: PlanReading["of"]): PlanFileError {
  if (typeof of === "string") {
    return new PlanFileError(
      `The plan in \`${of}\` was altered or cut off, or was made in another namespace: plan again, with the same POOLSYNC_NAMESPACE and REDIS_URL (or --data-dir).`,
    );
  }
  return new PlanFileError(
    sentence`The plan that is kept for run ${of.id} was altered or cut off, or is another run's, and nothing of it is written: end the run with ${nextStep("runs", "cancel", of.id)}, and plan its feed again with ${nextStep("sync", "--feed", of.feed)}.`,
  );
}
