import { EMPTY_BOOKS, post, TERMS } from "../../core/books.ts";
import { directRunId, isEnded, type ForgottenRun, type Run, type Runs } from "../runs.ts";
import type { OwnRead } from "../fence.ts";
import { runLost } from "../store-error.ts";
import type { RedisClient } from "./connection.ts";
import { runDocument, timeIn } from "../documents.ts";
import type { Counters } from "./counters.ts";
import type { Keys } from "./keys.ts";
import type { KnownPools } from "./known-pools.ts";
import type { MetRuns } from "./met-runs.ts";
import { beginRunReply, parseReply, sweepRunsReply } from "./replies.ts";
import type { Scripts } from "./scripts.ts";
import type { Shelf } from "./shelf.ts";

/** A script looks at so many runs, and one sweep takes so many of them at most: the next one goes on. */
const SWEEP_PAGE = 100;
const SWEEP_PAGES = 50;

export function createRedisRuns(
  redis: RedisClient,
  keys: Keys,
  scripts: Scripts,
  pools: KnownPools,
  metRuns: MetRuns,
  shelf: Shelf,
  counters: Counters,
  ownRead: OwnRead,
): Runs {
  const advanceKeys = [keys.runs, keys.identities, keys.books, keys.gates];

  async function read(id: string): Promise<Run | undefined> {
    const [text, cursor, rows] = await Promise.all([
      redis.hget(keys.runs, id),
      redis.hget(keys.cursors, id),
      counters.read("books", [`${id}|rows-read`, `${id}|rows-faulty`]),
    ]);
    const run = await shelf.sound(
      runDocument,
      { kind: "run", key: keys.runs, field: id },
      text,
      (one) => one.id === id,
    );
    if (run === undefined) return undefined;
    return { ...run, cursor: cursor ?? "", rows: { read: rows[0] ?? 0, faulty: rows[1] ?? 0 } };
  }

  const get = (id: string) => ownRead(() => read(id));

  async function begin(
    run: Pick<Run, "id" | "source" | "pool" | "feed" | "identity"> & { readonly asOf: number | "" },
  ) {
    const { id, source, pool, feed, identity, asOf } = run;
    const reply = await scripts.run(
      "begin-run",
      [keys.runs, keys.runIndex, keys.identities],
      [id, pool, feed, identity, asOf, source],
    );
    const begun = parseReply(beginRunReply, reply, "the answer to a run's beginning");
    metRuns.add(begun.id);
    const current = await get(begun.id);
    if (!current) throw new Error(`Expected the run \`${begun.id}\` to be there, as it has just begun`);
    return { run: current, resumed: begun.resumed };
  }

  return {
    begin,
    get,

    async direct(pool) {
      const id = directRunId(pool);
      return (
        (await get(id)) ?? (await begin({ id, source: "direct", pool, feed: "direct", identity: "", asOf: "" })).run
      );
    },

    async rename(id, identity) {
      await scripts.run("rename-run", [keys.runs, keys.identities], [id, identity]);
    },

    async list(limit) {
      const runs = await ownRead(async () => {
        const ids = limit > 0 ? await redis.zrevrange(keys.runIndex, 0, limit - 1) : [];
        return Promise.all(ids.map(read));
      });
      return runs.filter((run) => run !== undefined);
    },

    async unfinished() {
      const runs = await ownRead(async () => Promise.all((await redis.hvals(keys.identities)).map(read)));
      return runs.flatMap((run) => (run === undefined || isEnded(run.state) ? [] : run));
    },

    async advance(id, state) {
      const advanced = await scripts.run("advance", advanceKeys, [id, state, 0]);
      if (advanced === 0) throw runLost(id);
    },

    async transition(id, from, to, { evenOver = false } = {}) {
      return (await scripts.run("advance", advanceKeys, [id, to, evenOver ? 1 : 0, ...from])) === 1;
    },

    async sweep(before) {
      const terms = JSON.stringify([...TERMS, "rows-read", "rows-faulty"]);
      const names = [...pools.names];
      const dueSets = names.map((pool) => keys.due(pool));
      let [gone, over] = [0, 0];
      for (let page = 0; page < SWEEP_PAGES; page += 1) {
        const reply = await scripts.run(
          "sweep-runs",
          [
            keys.runs,
            keys.runIndex,
            keys.identities,
            keys.cursors,
            keys.books,
            keys.gates,
            keys.kept,
            keys.pools,
            ...dueSets,
          ],
          [before, over, SWEEP_PAGE, terms, ...names],
        );
        const swept = parseReply(sweepRunsReply, reply, "the answer to a sweep of runs");
        gone += swept.gone;
        over += swept.stayed;
        if (swept.gone + swept.stayed < SWEEP_PAGE) break;
      }
      await scripts.run("command", [keys.forgotten], ["ZREMRANGEBYSCORE", "-inf", `(${before}`]);
      return gone;
    },

    async noteForgotten(ids) {
      const at = String(await scripts.run("now", [], []));
      const members = ids.flatMap((id) => [at, id]);
      if (members.length > 0) await scripts.run("command", [keys.forgotten], ["ZADD", "NX", ...members]);
    },

    async forgotten() {
      const found = await redis.zrange(keys.forgotten, "0", "-1", "WITHSCORES");
      const runs: ForgottenRun[] = [];
      for (let n = 0; n + 1 < found.length; n += 2) runs.push({ run: found[n] ?? "", at: timeIn(found[n + 1]) });
      return runs;
    },

    async books(id = "") {
      const fields = TERMS.map((term) => `${id}|${term}`);
      const counts = await ownRead(() => counters.read("books", fields));
      return post(
        EMPTY_BOOKS,
        TERMS.map((term, index) => ({ run: id, term, by: counts[index] ?? 0 })),
      );
    },
  };
}
