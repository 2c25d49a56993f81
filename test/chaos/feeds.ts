/** Files of rows, put by `poolsync sync`, most of them with --detach. The same command is given again until it is done. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { until } from "../support/condition.ts";
import type { Random } from "../support/random.ts";
import { endsWell, type Child, type Children } from "./children.ts";
import type { FeedFile, Load } from "./load.ts";
import { GUARDS_OFF, PLAIN } from "./run-settings.ts";
import type { Model } from "./model.ts";
import type { NamedLoad } from "./named.ts";
import type { Lives } from "./roles.ts";
import { POOL } from "./service.ts";

export interface FeedsOptions {
  readonly children: Children;
  readonly lives: Lives;
  readonly model: Model;
  readonly load: Load;
  readonly named: NamedLoad;
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly random: Random;
  readonly everyMs: number;
  /** True where somebody has cancelled the run of a file: nobody puts it again. */
  readonly isCancelled: (feed: string) => Promise<boolean>;
  /** Told of each line of a command's answer. */
  readonly onLine?: (name: string, line: string) => void;
}

export interface Feeds {
  /** Those under way: their processes may be killed and suspended. */
  readonly running: readonly { readonly child: Child | undefined; kill(backInMs: number): Promise<void> }[];
  /** Starts a command that is running already once more. */
  startTwin(): boolean;
  unacknowledged(): number;
  /** Gives the latest that were put again, because the store has forgotten them. */
  giveAgain(): void;
  /** How many were given so. */
  readonly givenAgain: number;
  /** No more new ones; resolves when all are acknowledged. */
  finish(): Promise<void>;
  /** Puts this one, when the others are finished. */
  last(feed: FeedFile): Promise<void>;
}

const ROWS = 120;
/** Several pages: a run may be cut, or forgotten, between them. Of more than 1,000 rows, who is not listed is not put. */
const MANY_ROWS = 1_000;
const MANY_SHARE = 0.2;
const MOST_RUNNING = 2;
const AGAIN_MS = 500;
/** So many of the latest files are given again. */
const MOST_AGAIN = 5;
const DETACHED_SHARE = 0.7;

/** A file, and the command that puts it. */
export interface SyncedFile {
  readonly feed: FeedFile;
  readonly args: readonly string[];
  /** Where its command lists the rows that it did not put. */
  readonly report: string;
}

/** How many of the files name people by their addresses. */
const NAMED_SHARE = 0.3;

/** Another file, of one page or of several, or of those who are named by their addresses. */
export function nextFile(
  { load, named, random }: Pick<FeedsOptions, "load" | "named" | "random">,
  directory: string,
): Promise<SyncedFile> {
  if (random.chance(NAMED_SHARE)) return written(named.feed(Date.now()), directory);
  return written(load.feed(Date.now(), random.chance(MANY_SHARE) ? MANY_ROWS : ROWS), directory);
}

/** Writes it to where its command reads it. */
export async function written(feed: FeedFile, directory: string): Promise<SyncedFile> {
  const path = join(directory, feed.name);
  const config = join(directory, "poolsync.yaml");
  await Promise.all([writeFile(path, feed.csv), writeFile(config, GUARDS_OFF)]);
  const where = ["--config", config, "--user-pool-id", POOL];
  const report = `${path}.report`;
  const naming = feed.namedBy === undefined ? [] : ["--username-column", feed.namedBy, "--report", report];
  return { feed, report, args: ["sync", path, ...where, ...naming, "--as-of", feed.asOf, "--json", ...PLAIN] };
}

const issue = z.object({ line: z.number() });

/**
 * The command has ended well: the store has what the file says, but for rows of which nobody, or several, had the
 * address. Which these were is known where one command has put it all.
 */
export async function ackFile(model: Model, { feed, report }: Pick<SyncedFile, "feed" | "report">): Promise<void> {
  const at = Date.now();
  const refused = new Set<number>();
  if (feed.namedBy !== undefined) {
    const [first] = feed.changes;
    if (model.changes.get(first?.id ?? "")?.times !== 1) return;
    const text = await readFile(report, "utf8").catch(() => "");
    for (const each of text.split("\n").filter((one) => one !== "")) refused.add(issue.parse(JSON.parse(each)).line);
  }
  // The first line has the columns.
  for (const [index, { id }] of feed.changes.entries()) if (!refused.has(index + 2)) model.acked(id, at);
}

export function startFeeds(options: FeedsOptions): Feeds {
  const { children, lives, model, env, directory, random, everyMs } = options;
  const running = new Map<FeedFile, { child: Child | undefined; args: readonly string[]; backInMs: number }>();
  let finishing = false;
  /** The latest that were put, and those that are to be given again. */
  const put: SyncedFile[] = [];
  let again: SyncedFile[] = [];
  let givenAgain = 0;

  function begin(feed: FeedFile, args: readonly string[], name: string): Child {
    for (const change of feed.changes) model.sent(change, Date.now());
    const { onLine } = options;
    const heard = onLine && { onLine: (line: string) => onLine(name, line) };
    return children.start({ name, file: "src/cli/main.ts", args, env, ...heard });
  }

  async function next(): Promise<SyncedFile> {
    for (let one = again.shift(); one; one = again.shift()) {
      if (await options.isCancelled(one.feed.name)) continue;
      givenAgain += 1;
      return one;
    }
    return nextFile(options, directory);
  }

  async function run(synced: SyncedFile): Promise<void> {
    const { feed, args: attended, report } = synced;
    const name = feed.name.replace(".csv", "");
    const args = random.chance(DETACHED_SHARE) ? [...attended, "--detach"] : attended;
    const entry: { child: Child | undefined; args: readonly string[]; backInMs: number } = {
      child: undefined,
      args,
      backInMs: AGAIN_MS,
    };
    running.set(feed, entry);
    while (!lives.over) {
      entry.child = begin(feed, args, name);
      const end = await entry.child.ended;
      entry.child = undefined;
      if (lives.over) return;
      if (endsWell(end)) {
        await ackFile(model, { feed, report });
        running.delete(feed);
        if (!put.includes(synced)) put.push(synced);
        return;
      }
      const why = `sync ended with ${end}`;
      lives.exits.set(why, (lives.exits.get(why) ?? 0) + 1);
      if (await options.isCancelled(feed.name)) {
        running.delete(feed);
        return;
      }
      await sleep(entry.backInMs);
      entry.backInMs = AGAIN_MS;
    }
  }

  const loop = (async () => {
    const under = new Set<Promise<void>>();
    while (!finishing && !lives.over) {
      if (running.size < MOST_RUNNING) {
        const one = run(await next()).finally(() => under.delete(one));
        under.add(one);
      }
      await sleep(everyMs);
    }
    await Promise.all(under);
  })();

  return {
    get running() {
      return [...running.values()].map((entry) => ({
        child: entry.child,
        async kill(backInMs: number) {
          entry.backInMs = backInMs;
          await entry.child?.kill();
        },
      }));
    },
    startTwin() {
      // Twins would write one report.
      const [first] = [...running].filter(([{ namedBy }, { child }]) => child !== undefined && namedBy === undefined);
      if (!first) return false;
      const [feed, { args }] = first;
      const twin = begin(feed, args, `${feed.name.replace(".csv", "")}-twin`);
      // What one has put in a store that was emptied meanwhile tells nothing of the one that is there.
      const losses = model.losses.length;
      void twin.ended.then((end) =>
        endsWell(end) && model.losses.length === losses ? ackFile(model, { feed, report: "" }) : undefined,
      );
      return true;
    },
    unacknowledged: () => running.size,
    giveAgain: () => void (again = put.slice(-MOST_AGAIN)),
    get givenAgain() {
      return givenAgain;
    },
    async finish() {
      finishing = true;
      await until("every feed is put", () => running.size === 0, 360_000);
      await loop;
    },
    last: async (feed) => run(await written(feed, directory)),
  };
}
