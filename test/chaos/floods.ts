/**
 * Floods: a sender that changes more people than the guard of its feed lets through, and an operator who approves or
 * cancels what waits, by commands some of which are killed, while those who take events are. A flood is over when all of
 * it was received; then comes the next.
 */
import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Random } from "../support/random.ts";
import type { Children } from "./children.ts";
import { EVENT_KEY, FLOOD_FEED, FLOOD_LETTER, type EventLoad, type PlannedEvent } from "./events.ts";
import { createModel, ordinalOf, valueOf, type Loss, type Model, type SentChange } from "./model.ts";
import type { Lives } from "./roles.ts";
import { startSender } from "./sender.ts";

export type Decided = "approve" | "cancel";

export interface Decision {
  readonly run: string;
  /** Epoch ms, of its command. */
  readonly begunAt: number;
}

export interface Flood {
  readonly decided: Decided;
  /** The changes that were acknowledged, in the order in which they were sent. */
  readonly changes: readonly SentChange[];
  readonly begunAt: number;
  endedAt: number;
  readonly decisions: Decision[];
}

export interface FloodRun {
  readonly run: string;
  readonly state: string;
  readonly received: number;
}

export interface FloodDeps {
  readonly children: Children;
  readonly lives: Lives;
  readonly random: Random;
  readonly users: readonly string[];
  readonly ports: () => readonly number[];
  /** Of the operator's commands. */
  readonly env: Readonly<Record<string, string>>;
  /** What Redis has lost so far. */
  readonly losses: readonly Loss[];
  /** Kills one of those who take events. */
  readonly killIngest: () => Promise<void>;
  readonly say: (line: string) => void;
}

export interface Floods {
  readonly all: readonly Flood[];
  readonly model: Model;
  /** How many commands were killed. */
  readonly killed: number;
  /** No more new ones; resolves when the last is over. Rejects with what went wrong. */
  finish(): Promise<void>;
}

const PER_SECOND = 30;
const LATE_MS = 20_000;
const LOOK_EVERY_MS = 1_000;
const OVER_WITHIN_MS = 300_000;
/** After so many looks at which nothing more was received: what is missing Redis has lost. */
const SAME_LOOKS = 8;

const RunList = z.object({
  runs: z.array(
    z.object({
      run: z.string(),
      feed: z.string(),
      state: z.string(),
      books: z.object({ received: z.number(), pending: z.number() }),
    }),
  ),
});
type ListedRun = z.infer<typeof RunList>["runs"][number];

export function startFloods(deps: FloodDeps): Floods {
  const { children, lives, random, users, ports, env, losses, killIngest, say } = deps;
  const model = createModel();
  const all: Flood[] = [];
  let [isOver, killed, count, sent, lossesSeen] = [false, 0, 0, 0, 0];
  const taken = new Set<number>();

  function version(now: number, least: number): number {
    let timeMs = Math.max(least, now - (random.chance(0.4) ? Math.round(random.next() * LATE_MS) : 0));
    while (taken.has(timeMs)) timeMs += 1;
    taken.add(timeMs);
    return timeMs;
  }

  /** Nothing of a flood is older than what the one before said. */
  function loadOf(least: number): EventLoad {
    return {
      event(now): PlannedEvent {
        const id = `flood-${(count += 1)}`;
        const whom = new Set(
          Array.from({ length: 1 + random.below(3) }, () => users[random.below(users.length)] ?? ""),
        );
        const changes = [...whom].map((username) => {
          const change = `${FLOOD_LETTER}.${(count += 1)}`;
          const ordinal = ordinalOf(version(now, least), 0);
          return { id: change, username, attributes: ["given_name"], ordinal, once: true } as const;
        });
        const people = changes.map((change) => ({
          user: change.username,
          at: new Date(Number(change.ordinal.split(".")[0])).toISOString(),
          g: valueOf(change.id, "given_name"),
        }));
        const body = Buffer.from(JSON.stringify({ people }));
        const headers = (nowMs: number): Readonly<Record<string, string>> => {
          const timestamp = String(Math.floor(nowMs / 1000));
          const signature = createHmac("sha256", EVENT_KEY).update(`${id}.${timestamp}.`).update(body).digest("base64");
          return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
        };
        return { id, feed: FLOOD_FEED, kind: "sound", body, changes, headers };
      },
      job: () => {
        throw new Error("Expected no job of a flood");
      },
    };
  }

  async function command(words: readonly string[], killedAfterMs?: number): Promise<string | undefined> {
    let said = "";
    const onLine = (line: string): void => void (said += `${line}\n`);
    const child = children.start({
      name: "operator",
      file: "src/cli/main.ts",
      args: [...words, "--json"],
      env,
      onLine,
    });
    const kill =
      killedAfterMs === undefined
        ? undefined
        : setTimeout(() => {
            killed += 1;
            void child.kill();
          }, killedAfterMs);
    const end = await child.ended;
    clearTimeout(kill);
    return end === 0 ? said : undefined;
  }

  async function runsOf(): Promise<readonly ListedRun[] | undefined> {
    const said = await command(["runs", "list", "--limit", "1000"]);
    return said === undefined
      ? undefined
      : RunList.parse(JSON.parse(said)).runs.filter(({ feed }) => feed === FLOOD_FEED);
  }

  async function play(): Promise<void> {
    const decided: Decided = random.chance(0.5) ? "approve" : "cancel";
    const isLate = random.chance(0.4);
    const begunAt = Date.now();
    const sender = startSender({ model, load: loadOf(begunAt), random, perSecond: PER_SECOND, ports });
    await sleep(1_000 + random.next() * 1_000);
    sender.enough();
    const answered = sender.finish();
    if (isLate) await answered;
    const flood: Flood = { decided, changes: [], begunAt, endedAt: Infinity, decisions: [] };
    let [isAnswered, same, receivedLast] = [false, 0, -1];
    const hear = answered.then(() => (isAnswered = true));
    for (;;) {
      if (lives.over) return;
      if (Date.now() > begunAt + OVER_WITHIN_MS) throw new Error(`Expected a flood of ${sent} units in all to be over`);
      const runs = (await runsOf()) ?? [];
      const received = runs.reduce((sum, { books }) => sum + books.received, 0);
      const [open] = runs.filter(({ state }) => state === "needs-approval");
      same = received === receivedLast ? same + 1 : 0;
      receivedLast = received;
      const total = sent + unitsOf(sender.all.flatMap(({ changes }) => changes));
      const mayBeShort = losses.length > lossesSeen;
      const isWhole = isAnswered && runs.length > 0 && (received >= total || (mayBeShort && same > SAME_LOOKS));
      if (open && (!isLate || isWhole)) {
        const killedAfterMs = random.chance(0.25) ? 200 + random.next() * 900 : undefined;
        const decision = { run: open.run, begunAt: Date.now() };
        if (!flood.decisions.some(({ run }) => run === open.run)) flood.decisions.push(decision);
        const acts = [command(["runs", decided, open.run], killedAfterMs)];
        if (random.chance(0.4)) await Promise.all([...acts, sleep(random.next() * 900).then(killIngest)]);
        else await Promise.all(acts);
        continue;
      }
      if (isWhole && runs.every(({ books }) => books.pending === 0)) break;
      await sleep(LOOK_EVERY_MS);
    }
    await hear;
    sent = receivedLast;
    lossesSeen = losses.length;
    const changes = sender.all.flatMap((event) => event.changes.flatMap(({ id }) => model.changes.get(id) ?? []));
    all.push({ ...flood, changes, endedAt: Date.now() });
    say(
      `${new Date().toISOString()} A flood of ${changes.length}: ${decided} ${isLate ? "late" : "early"}, ${flood.decisions.length} times`,
    );
  }

  const playing = (async () => {
    while (!isOver && !lives.over) {
      await play();
      await sleep(500 + random.next() * 3_000);
    }
  })();
  // Whoever waits for the end is told.
  playing.catch(() => undefined);

  return {
    all,
    model,
    get killed() {
      return killed;
    },
    async finish() {
      isOver = true;
      await playing;
    },
  };
}

const unitsOf = (changes: readonly Pick<SentChange, "attributes">[]): number =>
  changes.reduce((sum, { attributes }) => sum + attributes.length, 0);
