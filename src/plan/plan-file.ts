/**
 * A plan as a file, to be applied later: one line of JSON a user, between a header and a signature by the namespace's
 * own key. So it is applied by those who share the namespace, as it was written, and not for ever.
 */
import { timingSafeEqual } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { GuardSettings } from "../core/guards.ts";
import { bodyOf, valueOf, type Keyring } from "../store/keyring.ts";
import type { Target } from "../store/store.ts";
import { isSent } from "./judged-row.ts";
import type { Plan } from "./plan.ts";
import type { PlannedRecord } from "./planner.ts";

/** How long a plan may be applied. */
const PLAN_LIFE_MS = 24 * 60 * 60_000;

const text = z.string();
const header = z.object({
  poolsync: z.literal("plan"),
  format: z.literal(1),
  id: text,
  feed: text,
  target: z.object({ pool: text, endpoint: text, region: text, arn: text }),
  madeAt: z.number(),
  expiresAt: z.number(),
  asOf: z.number(),
  users: z.number(),
  /** Calls that a scan of the pool took; 0 where it was not scanned. */
  scanPages: z.number(),
  /** True where it breaks guards: it is applied only where it is approved. */
  guarded: z.boolean(),
  protectUsers: z.array(text),
  protectAttributes: z.array(text),
});
export type PlanHeader = z.infer<typeof header>;

const entry = z.object({
  line: z.number(),
  /** Sealed. */
  username: text,
  timeMs: z.number(),
  sequence: z.number(),
  units: z.array(z.object({ name: text, body: text, before: text.optional() })),
});
const signature = z.object({ signature: text });

/** A plan file that cannot be applied. The message ends with the next step. */
class PlanFileError extends Error {
  override readonly name = "PlanFileError";
  readonly kind = "plan-file";
}

/** Writes a plan, readable by its owner only. */
export async function writePlanFile(
  plan: Plan,
  { target, keyring }: { readonly target: Target; readonly keyring: Keyring },
  facts: { readonly path: string; readonly asOfMs: number; readonly guards: GuardSettings; readonly now: number },
): Promise<void> {
  const file = createWriteStream(facts.path, { mode: 0o600 });
  await once(file, "open");
  const signer = keyring.signer("plan file");
  const write = async (document: object): Promise<void> => {
    const line = `${JSON.stringify(document)}\n`;
    signer.update(line);
    if (!file.write(line)) await once(file, "drain");
  };
  const { figures } = plan;
  const head: PlanHeader = {
    poolsync: "plan",
    format: 1,
    id: plan.id,
    feed: plan.feed,
    target: { ...target },
    madeAt: facts.now,
    expiresAt: facts.now + PLAN_LIFE_MS,
    asOf: facts.asOfMs,
    users: figures.users.changed,
    scanPages: figures.scan?.pages ?? 0,
    guarded: plan.broken.length > 0,
    protectUsers: [...facts.guards.protectUsers],
    protectAttributes: [...facts.guards.protectAttributes],
  };
  await write(head);
  for (const row of plan.rows()) {
    if (row.kind === "fault") continue;
    const units = row.units.flatMap(({ unit, deed, beforeName }) =>
      isSent(deed)
        ? [
            {
              name: unit.name,
              body: keyring.seal(bodyOf(unit.value)),
              ...(beforeName === undefined ? {} : { before: beforeName }),
            },
          ]
        : [],
    );
    if (units.length > 0) await write({ line: row.line, username: keyring.seal(row.username), ...row.version, units });
  }
  file.end(`${JSON.stringify({ signature: signer.digest() })}\n`);
  await once(file, "close");
}

export interface PlanFile {
  readonly header: PlanHeader;
  /** What makes two applications of it the same run. */
  readonly signature: string;
  usernames(): AsyncIterable<string>;
  records(): AsyncIterable<PlannedRecord>;
}

/** Opens a plan file, read through once: throws a PlanFileError where it was altered, cut off or has expired. */
export async function openPlanFile(path: string, keyring: Keyring, now: number): Promise<PlanFile> {
  const signer = keyring.signer("plan file");
  let head: PlanHeader | undefined;
  let signed: string | undefined;
  for await (const line of linesOf(path)) {
    if (signed !== undefined) throw altered(path);
    const document = parse(line);
    if (head === undefined) {
      const parsed = header.safeParse(document);
      if (!parsed.success) {
        throw new PlanFileError(
          `\`${path}\` is no plan of this version of poolsync: make it with \`poolsync plan --out\`.`,
        );
      }
      head = parsed.data;
    }
    const last = signature.safeParse(document);
    if (last.success) signed = last.data.signature;
    else signer.update(`${line}\n`);
  }
  if (head === undefined || signed === undefined || !isSame(signed, signer.digest())) throw altered(path);
  if (head.expiresAt <= now) {
    const hours = PLAN_LIFE_MS / 3_600_000;
    throw new PlanFileError(
      `The plan in \`${path}\` is older than ${hours} hours, and is not applied any more: plan again.`,
    );
  }
  async function* entries() {
    for await (const line of linesOf(path)) {
      const parsed = entry.safeParse(parse(line));
      if (parsed.success) yield parsed.data;
    }
  }
  return {
    header: head,
    signature: signed,
    async *usernames() {
      for await (const { username } of entries()) yield keyring.open(username);
    },
    async *records() {
      for await (const { line, username, timeMs, sequence, units } of entries()) {
        const change = {
          username: keyring.open(username),
          version: { timeMs, sequence },
          units: units.map(({ name, body }) => ({ name, value: valueOf(keyring.open(body)) })),
        };
        const before = Object.fromEntries(units.map((unit) => [unit.name, unit.before ?? ""]));
        yield { kind: "change", line, change, invalid: [], before };
      }
    },
  };
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const input = createReadStream(path, "utf8");
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) yield line;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new PlanFileError(`The plan \`${path}\` cannot be read (${code}): check the path.`, { cause });
  } finally {
    input.destroy();
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // What it holds may be a person's data; that it is altered is said by whoever asked.
    return undefined;
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function altered(path: string): PlanFileError {
  return new PlanFileError(
    `The plan in \`${path}\` was altered or cut off, or was made in another namespace: plan again, with the same POOLSYNC_NAMESPACE and REDIS_URL (or --data-dir).`,
  );
}
