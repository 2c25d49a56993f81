/** An application's poolsync over one embedded store, and pools at one emulator: a test has a pool of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import type { UserPool } from "../../src/emulator/user-pool.ts";
import { openPoolsync, type Poolsync, type UserChange } from "../../src/index.ts";
import { exampleAws } from "./aws-environment.ts";
import { until } from "./condition.ts";
import { putMadeDirectory } from "./made-directory.ts";
import { movableClock, type MovableClock } from "./movable-clock.ts";

type Values = Readonly<Record<string, string>>;
type Asked = Pick<UserChange, "attributes" | "verified" | "version">;

export interface LibraryStage {
  readonly clock: MovableClock;
  readonly emulator: Emulator;
  readonly poolsync: Poolsync;
  readonly dataDir: string;
  /** A pool with these users. */
  people(definition: Omit<PoolDefinition, "id">, users: readonly Person[]): PoolOfPeople;
  /** Delivers what waits in all pools, until nothing does. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface Person {
  /** Where people sign in with an address, this is the test's own name for them. */
  readonly who: string;
  readonly attributes?: Values;
  readonly isFederated?: true;
}

export interface PoolOfPeople {
  readonly pool: UserPool;
  /** As the pool knows them. */
  username(who: string): string;
  sub(who: string): string;
  update(name: string, asked: Asked["attributes"], more?: Omit<Asked, "attributes">): ReturnType<Poolsync["update"]>;
  enqueue(name: string, asked: Asked["attributes"], more?: Omit<Asked, "attributes">): ReturnType<Poolsync["enqueue"]>;
  /** What each of them has of it; "" where it is nothing. */
  have(name: string, ...people: readonly string[]): string[];
}

export async function openLibrary(listLagMs = 0): Promise<LibraryStage> {
  const restore = exampleAws();
  // The emulator and the store go by it.
  const clock = movableClock();
  const directory = await mkdtemp(join(tmpdir(), "poolsync-people-"));
  const dataDir = join(directory, "data");
  putMadeDirectory(dataDir);
  const emulator = await startEmulator({ quotas: "unmetered", shortPages: 0, listLagMs });
  const settings = { endpoint: emulator.url, region: "eu-west-1", logLevel: "silent", ratePerSecond: 500 };
  const poolsync = await openPoolsync({ ...settings, dataDir });

  return {
    clock,
    emulator,
    poolsync,
    dataDir,
    people(definition, users) {
      const pool = emulator.pools.add(definition);
      const subs = new Map<string, string>();
      for (const { who, attributes = {}, isFederated } of users) {
        const name = definition.usernameAttributes === undefined ? who : (attributes["email"] ?? who);
        const status = isFederated ? "EXTERNAL_PROVIDER" : "CONFIRMED";
        // They have been there for long, whatever a list lags behind.
        const { sub } = pool.addUser({ username: name, attributes, status, createdAt: 0 });
        subs.set(who, sub);
      }
      const sub = (who: string): string => subs.get(who) ?? "";
      const username = (who: string): string => (definition.usernameAttributes === undefined ? who : sub(who));
      return {
        pool,
        username,
        sub,
        update: (name, attributes, more = {}) => {
          return poolsync.update({ pool: pool.id, username: name, attributes, ...more }, { waitMs: 5_000 });
        },
        enqueue: (name, attributes, more = {}) => {
          return poolsync.enqueue({ pool: pool.id, username: name, attributes, ...more });
        },
        have: (name, ...people) => people.map((who) => pool.user(username(who))?.attributes[name] ?? ""),
      };
    },
    async settled() {
      for (const id of emulator.pools.ids) await poolsync.deliver(id);
      await until("nothing is pending", async () => (await poolsync.books()).pending === 0, 20_000);
    },
    async close() {
      await poolsync.close();
      await emulator.close();
      clock.putBack();
      restore();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
