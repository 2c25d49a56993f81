/** Reads what a run left behind: the store, the pool, and the logs of its processes. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Letter } from "../../src/core/letter.ts";
import type { UserState } from "../../src/core/mailbox.ts";
import type { Engine } from "../../src/queues/engine.ts";
import { tells, type LoggedWrite, type Model } from "./model.ts";
import { POOL, type Service } from "./service.ts";
import type { Evidence, Standing } from "./verdict.ts";

export async function readStanding(
  engine: Engine,
  model: Model,
  service: Service,
  inPool: readonly string[],
  users: readonly string[],
): Promise<Omit<Standing, "asks" | "evidence">> {
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

const lateLine = z.object({ time: z.string(), user: z.string(), msg: z.literal("settle came too late") });

export async function evidenceOf(directory: string, writes: readonly LoggedWrite[]): Promise<Evidence> {
  const lateSettles: { user: string; at: number }[] = [];
  for (const { line } of await logLines(directory)) {
    if (!line.includes('"msg":"settle came too late"')) continue;
    const { data } = lateLine.safeParse(JSON.parse(line));
    if (data) lateSettles.push({ user: data.user, at: Date.parse(data.time) });
  }
  const unheard = new Set(writes.filter((write) => write.unanswered === true).map(({ seq }) => seq));
  return { lateSettles, unheard };
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
