/** Files of rows, put by `poolsync sync`, most of them with --detach. The same command is given again until it is done. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../support/condition.ts";
import type { Random } from "../support/random.ts";
import type { Child, Children } from "./children.ts";
import type { FeedFile, Load } from "./load.ts";
import { GUARDS_OFF, PLAIN } from "./run-settings.ts";
import type { Model } from "./model.ts";
import type { Lives } from "./roles.ts";
import { POOL } from "./service.ts";

export interface FeedsOptions {
  readonly children: Children;
  readonly lives: Lives;
  readonly model: Model;
  readonly load: Load;
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly random: Random;
  readonly everyMs: number;
}

export interface Feeds {
  /** Those under way: their processes may be killed and suspended. */
  readonly running: readonly { readonly child: Child | undefined; kill(backInMs: number): Promise<void> }[];
  /** Starts a command that is running already once more. */
  startTwin(): boolean;
  unacknowledged(): number;
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
const DETACHED_SHARE = 0.7;

/** A file, and the command that puts it. */
export interface SyncedFile {
  readonly feed: FeedFile;
  readonly args: readonly string[];
}

/** Another file, of one page or of several. */
export function nextFile(load: Load, random: Random, directory: string): Promise<SyncedFile> {
  return written(load.feed(Date.now(), random.chance(MANY_SHARE) ? MANY_ROWS : ROWS), directory);
}

/** Writes it to where its command reads it. */
export async function written(feed: FeedFile, directory: string): Promise<SyncedFile> {
  const path = join(directory, feed.name);
  const config = join(directory, "poolsync.yaml");
  await Promise.all([writeFile(path, feed.csv), writeFile(config, GUARDS_OFF)]);
  const where = ["--config", config, "--user-pool-id", POOL];
  return { feed, args: ["sync", path, ...where, "--as-of", feed.asOf, "--json", ...PLAIN] };
}

export function startFeeds(options: FeedsOptions): Feeds {
  const { children, lives, model, load, env, directory, random, everyMs } = options;
  const running = new Map<FeedFile, { child: Child | undefined; args: readonly string[]; backInMs: number }>();
  let finishing = false;

  function begin(feed: FeedFile, args: readonly string[], name: string): Child {
    for (const change of feed.changes) model.sent(change, Date.now());
    return children.start({ name, file: "src/cli/main.ts", args, env });
  }

  const isDone = (end: number | string): boolean => end === 0 || end === 2;

  function acked(feed: FeedFile): void {
    for (const { id } of feed.changes) model.acked(id, Date.now());
  }

  async function run({ feed, args: attended }: SyncedFile): Promise<void> {
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
      if (isDone(end)) {
        acked(feed);
        running.delete(feed);
        return;
      }
      const why = `sync ended with ${end}`;
      lives.exits.set(why, (lives.exits.get(why) ?? 0) + 1);
      await sleep(entry.backInMs);
      entry.backInMs = AGAIN_MS;
    }
  }

  const loop = (async () => {
    const under = new Set<Promise<void>>();
    while (!finishing && !lives.over) {
      if (running.size < MOST_RUNNING) {
        const one = run(await nextFile(load, random, directory)).finally(() => under.delete(one));
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
      const [first] = [...running].filter(([, { child }]) => child !== undefined);
      if (!first) return false;
      const [feed, { args }] = first;
      const twin = begin(feed, args, `${feed.name.replace(".csv", "")}-twin`);
      void twin.ended.then((end) => isDone(end) && acked(feed));
      return true;
    },
    unacknowledged: () => running.size,
    async finish() {
      finishing = true;
      await until("every feed is put", () => running.size === 0, 360_000);
      await loop;
    },
    last: async (feed) => run(await written(feed, directory)),
  };
}
