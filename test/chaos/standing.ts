/** Reads what a run left behind: the store, the pool, and the logs of its processes. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Letter } from "../../src/core/letter.ts";
import type { UserState } from "../../src/core/mailbox.ts";
import type { Engine } from "../../src/queues/engine.ts";
import type { End, Evidence, LateSettle, ToldClaim, ToldSettle } from "./evidence.ts";
import { JOB_PRODUCER } from "./jobs.ts";
import { tells, type LoggedWrite, type Model } from "./model.ts";
import type { ToldLine } from "./replaced.ts";
import { POOL, type Service } from "./service.ts";
import type { Standing } from "./verdict.ts";

export async function readStanding(
  engine: Engine,
  model: Model,
  service: Service,
  inPool: readonly string[],
  users: readonly string[],
): Promise<Omit<Standing, "asks" | "gates" | "broken" | "evidence">> {
  const attributes = new Map<string, Readonly<Record<string, string>>>();
  for (const user of inPool) attributes.set(user, await service.attributesOf(user));
  const states = new Map<string, UserState>();
  const userKeys = new Map<string, string>();
  for (const username of users) {
    const key = engine.keyring.userKey(POOL, username);
    userKeys.set(username, key);
    states.set(username, await engine.store.mailboxes.read(key));
  }
  const letters: Letter[] = [];
  for await (const letter of engine.store.letters.list({})) letters.push(letter);
  return { model, engine, writes: await service.writes(), attributes, states, userKeys, letters };
}

/** What a process logs of its claims and settles: see src/delivery/settle-log.ts. */
const settleLine = z.object({ time: z.string().transform((text) => Date.parse(text)), user: z.string() });
const lateLine = settleLine.extend({
  msg: z.literal("settle came too late"),
  written: z.record(z.string(), z.string()),
  doubted: z.array(z.string()),
});
const outcome = z.object({ is: z.string(), version: z.string(), fateUnknown: z.boolean().default(false) });
const toldLine = settleLine.extend({
  msg: z.enum(["units settled", "settle failed"]),
  units: z.record(z.string(), outcome),
});
const claimLine = settleLine.extend({
  msg: z.literal("units claimed"),
  askedAt: z.number(),
  units: z.record(z.string(), z.object({ version: z.string(), run: z.string() })),
});
const ABOUT_UNITS = /"msg":"(settle came too late|units settled|settle failed|units claimed)"/;
/** They deliver nothing, so no call was under way when they ended. */
const NO_DELIVERERS = new Set(["emulator", "gate", "old", "ingest-0", "ingest-1", JOB_PRODUCER]);

export async function evidenceOf(
  directory: string,
  writes: readonly LoggedWrite[],
  ends: readonly End[],
): Promise<Evidence> {
  const lateSettles: LateSettle[] = [];
  const settles: ToldSettle[] = [];
  const claims: ToldClaim[] = [];
  for (const { line } of await logLines(directory)) {
    // Of a process that was killed the last line may be cut.
    if (!ABOUT_UNITS.test(line) || !line.endsWith("}")) continue;
    const told = z.union([lateLine, toldLine, claimLine]).parse(JSON.parse(line));
    const { user, time: at } = told;
    if (told.msg === "settle came too late") {
      const { written, doubted } = told;
      lateSettles.push({ user, at, written, doubted });
    } else if (told.msg === "units claimed")
      claims.push({ user, askedAt: told.askedAt, answeredAt: at, units: told.units });
    else settles.push({ user, at, units: told.units, failed: told.msg === "settle failed" });
  }
  const unheard = new Set(writes.filter((write) => write.unanswered === true).map(({ seq }) => seq));
  return { lateSettles, unheard, settles, claims, ends: ends.filter(({ name }) => !NO_DELIVERERS.has(name)) };
}

const STARTED = /"msg":"(worker started|replay worker started|ingest started|run started)"/;
const REPLACED = /"kind":"store-replaced"/;
const timedLine = z.object({ time: z.string().transform((text) => Date.parse(text)) });

/** Where a log tells that its process has opened the store, or lost it. */
export async function toldOfStores(directory: string): Promise<ToldLine[]> {
  return (await logLines(directory)).flatMap(({ file, line }) => {
    const is = REPLACED.test(line) ? "store-replaced" : STARTED.test(line) ? "started" : undefined;
    if (is === undefined || !line.endsWith("}")) return [];
    return [{ name: file.replace(/\.log$/, ""), at: timedLine.parse(JSON.parse(line)).time, is }];
  });
}

export interface Marks {
  /** Lines of logs that were looked at. */
  readonly lines: number;
  /** Those that hold a value or a username. */
  readonly marked: readonly string[];
}

/** The emulator's own log is its own matter. */
export async function marksIn(directory: string): Promise<Marks> {
  const lines = await logLines(directory);
  const marked = lines.filter(({ line }) => tells(line)).map(({ file, line }) => `${file}: ${line.slice(0, 200)}`);
  return { lines: lines.length, marked };
}

async function logLines(directory: string): Promise<{ file: string; line: string }[]> {
  const found: { file: string; line: string }[] = [];
  for (const file of await readdir(directory)) {
    if (!file.endsWith(".log") || file === "emulator.log") continue;
    for (const line of (await readFile(join(directory, file), "utf8")).split("\n"))
      if (line !== "") found.push({ file, line });
  }
  return found;
}
