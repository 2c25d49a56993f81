/**
 * A plan as lines of JSON, to be carried out later: one a user, between a header and a signature by the namespace's own
 * key. So only processes of the namespace can carry it out, unaltered and for a limited time.
 */
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { defined } from "../core/defined.ts";
import type { GuardSettings } from "../core/guards.ts";
import { nextStep, sentence, textOf, type Sentence } from "../core/sentence.ts";
import { bodyOf, personOf, valueOf, type Keyring, type Place } from "../store/keyring.ts";
import type { Target } from "../store/store.ts";
import { isSent } from "./planned-row.ts";
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
  /** What people are shown of it, sealed; absent in a file, which is made of what was just shown. */
  summary: z.exactOptional(text),
});
export type PlanHeader = z.infer<typeof header>;

const entry = z.object({
  line: z.number(),
  /** Sealed. */
  username: text,
  /** Sealed: the account that it is for, and how its row named it. Absent in plans from before it was kept. */
  person: text.optional(),
  timeMs: z.number(),
  sequence: z.number(),
  units: z.array(z.object({ name: text, body: text, before: text.optional() })),
});
const signature = z.object({ signature: text });

/** What a plan may be shown as without its rows. */
export type PlanSummary = Pick<Plan, "id" | "feed" | "figures" | "broken" | "examples">;

/** A plan that cannot be carried out. The message ends with the next step. */
export class PlanFileError extends Error {
  override readonly name = "PlanFileError";
  readonly kind = "plan-file";
  readonly sentence: Sentence;

  constructor(message: Sentence | string, options?: ErrorOptions) {
    super(textOf(message), options);
    this.sentence = typeof message === "string" ? [message] : message;
  }
}

export interface PlanFacts {
  readonly asOfMs: number;
  readonly guards: Pick<GuardSettings, "protectUsers" | "protectAttributes">;
  /** Epoch ms. */
  readonly now: number;
  /** How long it may be carried out. */
  readonly lifeMs: number;
  /** Whether it is to be shown before. */
  readonly summary?: boolean;
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
  const { id, feed, figures, broken, examples } = plan;
  const seal = (content: string): string => keyring.seal(placeIn(id), content);
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
    summary: facts.summary === true ? seal(JSON.stringify({ figures, broken, examples })) : undefined,
  });
  yield signed(head);
  for (const row of plan.rows()) {
    if (row.kind === "fault") continue;
    const units = row.units.flatMap(({ unit, action, beforeName }) =>
      isSent(action)
        ? [
            {
              name: unit.name,
              body: seal(bodyOf(unit.value)),
              before: beforeName,
            },
          ]
        : [],
    );
    if (units.length === 0) continue;
    const person = row.person && seal(JSON.stringify(row.person));
    yield signed({ line: row.line, username: seal(row.username), person, ...row.version, units });
  }
  yield JSON.stringify({ signature: signer.digest() });
}

/** A plan that is carried out later. */
export interface WrittenPlan {
  readonly header: PlanHeader;
  /** What makes two applications of it the same run. */
  readonly signature: string;
  /** What it was made to be shown as, where it was. */
  readonly summary: PlanSummary | undefined;
  usernames(): AsyncIterable<string>;
  records(): AsyncIterable<PlannedRecord>;
}

/**
 * Reads a plan through once: throws a PlanFileError where it was altered, cut off or has expired. `lines` is called for
 * each pass; `name` is what messages call it. `former`: it may be of a version before format 3 of the store.
 */
export async function readPlan(
  lines: () => AsyncIterable<string>,
  keyring: Keyring,
  { name, now, former = false }: { readonly name: string; readonly now: number; readonly former?: boolean },
): Promise<WrittenPlan> {
  let signer = keyring.signer("plan file");
  let head: PlanHeader | undefined;
  let signed: string | undefined;
  for await (const line of lines()) {
    if (signed !== undefined) throw altered(name);
    const document = parse(line);
    if (head === undefined) {
      const parsed = header.safeParse(document);
      if (!parsed.success || (parsed.data.format === 1 && !former)) {
        throw new PlanFileError(
          sentence`\`${name}\` is no plan of this version of poolsync: make one with ${nextStep("plan", "--out", "FILE")} and what \`sync\` would be given.`,
        );
      }
      head = parsed.data;
      if (head.format === 1) signer = keyring.namer("plan file");
    }
    const last = signature.safeParse(document);
    if (last.success) signed = last.data.signature;
    else signer.update(`${line}\n`);
  }
  if (head === undefined || signed === undefined || !isSame(signed, signer.digest())) throw altered(name);
  if (head.expiresAt <= now) {
    const hours = Math.round((head.expiresAt - head.madeAt) / 3_600_000);
    throw new PlanFileError(
      `The plan in \`${name}\` is older than ${hours} hours, and is not applied any more: plan again.`,
    );
  }
  const { id } = head;
  const open = (sealed: string): string => {
    const text = keyring.open(placeIn(id), sealed);
    if (text === undefined) throw altered(name);
    return text;
  };
  async function* entries() {
    for await (const line of lines()) {
      const parsed = entry.safeParse(parse(line));
      if (parsed.success) yield parsed.data;
    }
  }
  return {
    header: head,
    signature: signed,
    summary: summaryOf(head, open),
    async *usernames() {
      for await (const { username } of entries()) yield open(username);
    },
    async *records() {
      for await (const { line, username, person, timeMs, sequence, units } of entries()) {
        const change = {
          username: open(username),
          ...defined({ person: person === undefined ? undefined : personOf(open(person)) }),
          version: { timeMs, sequence },
          units: units.map(({ name, body }) => ({ name, value: valueOf(open(body)) })),
        };
        const before = Object.fromEntries(units.map((unit) => [unit.name, unit.before ?? ""]));
        yield { kind: "change", line, change, invalid: [], before };
      }
    },
  };
}

/** Where the texts of a plan are sealed; which is whose is said by the signature. */
function placeIn(plan: string): Place {
  return ["plan", plan];
}

function summaryOf({ id, feed, summary }: PlanHeader, open: (sealed: string) => string): PlanSummary | undefined {
  const parsed: unknown = summary === undefined ? undefined : JSON.parse(open(summary));
  return isSummary(parsed) ? { ...parsed, id, feed } : undefined;
}

/** It was signed by this namespace, so it has its form; only its parts are looked for. */
function isSummary(value: unknown): value is Omit<PlanSummary, "id" | "feed"> {
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

function altered(name: string): PlanFileError {
  return new PlanFileError(
    `The plan in \`${name}\` was altered or cut off, or was made in another namespace: plan again, with the same POOLSYNC_NAMESPACE and REDIS_URL (or --data-dir).`,
  );
}
