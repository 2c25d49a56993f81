import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mintToken } from "./access-token.ts";
import type { TokenOptions } from "./access-token.ts";
import { createApi } from "./api.ts";
import { CONTROL_PREFIX, createControl } from "./control.ts";
import type { Controls } from "./control.ts";
import { createCounters } from "./counters.ts";
import type { KnownCredentials } from "./credentials.ts";
import { createFaults } from "./faults.ts";
import { createPools } from "./pools.ts";
import { createMeter } from "./quota.ts";
import type { Category, Quotas } from "./quota.ts";
import { createRandom, randomUuid } from "./random.ts";
import type { Random } from "./random.ts";
import { createWriteLog } from "./write-log.ts";
import type { WriteRecorder } from "./write-log.ts";

export interface EmulatorOptions {
  /** Default 0, any free port. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Calls a second by category; Cognito's own where one is absent. `unmetered` lets everything through. */
  readonly quotas?: Quotas;
  /** Seconds of refill that a bucket holds. Default 1. */
  readonly burstSeconds?: number;
  /** From arrival to answer; a pair draws evenly between its ends. Default 0. */
  readonly latencyMs?: number | readonly [number, number];
  /** Chance that a page of ListUsers is cut short, perhaps to nothing, with a token for the rest. Default 0.25. */
  readonly shortPages?: number;
  /**
   * ListUsers answers from what the pool was so long ago: values, new users, deleted ones. One for all, or what it is for
   * a user of this username. Default 0.
   */
  readonly listLagMs?: number | ((username: string) => number);
  /** False where AdminGetUser and AdminUpdateUserAttributes find a user by username and alias, and not by sub. Default true. */
  readonly takesSubs?: boolean;
  /** Every signed request is taken where this is absent. */
  readonly credentials?: KnownCredentials;
  /** Seed of ids, latencies, short pages and faults with a probability. Default 1. */
  readonly seed?: number;
  /** Epoch ms, for buckets, dates and the log. Default `Date.now`. Latencies pass in real time all the same. */
  readonly now?: () => number;
  /** Where applied writes are recorded, each before its caller is answered. Default: in memory. */
  readonly log?: WriteRecorder;
}

/** A stand-in for Cognito's user-pool API. The SDK reaches it with `endpoint: url`. */
export interface Emulator extends Controls {
  readonly url: string;
  /** Cuts every connection and drops what waits. */
  close(): Promise<void>;
}

/** SDK clients keep sockets open; Node's default of 5 seconds would cut one in the very moment it is used again. */
const KEEP_ALIVE_MS = 120_000;

function latencySource(latencyMs: number | readonly [number, number], random: Random): () => number {
  const [least, most] = typeof latencyMs === "number" ? [latencyMs, latencyMs] : latencyMs;
  if (!(least >= 0 && most >= least && Number.isFinite(most))) {
    throw new RangeError(`Expected \`latencyMs\` to be from 0, or a rising pair of such, got \`${String(latencyMs)}\``);
  }
  return () => (most === least ? least : least + random() * (most - least));
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === "string") throw new Error("Expected the server to listen on a port");
  return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

/** Opens the emulator on a loopback port. Rejects where the port is in use. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, host = "127.0.0.1", seed = 1, now = Date.now, listLagMs = 0, shortPages = 0.25 } = options;
  const { takesSubs = true } = options;
  // One source each, so that a latency that is drawn does not change the ids of users.
  const randomOf = (offset: number): Random => createRandom(seed * 7919 + offset);
  const ids = randomOf(0);
  const requestIds = randomOf(4);
  const counters = createCounters();
  const log = options.log ?? createWriteLog(now);
  const faults = createFaults(randomOf(1));
  const lagOf = typeof listLagMs === "function" ? listLagMs : () => listLagMs;
  const pools = createPools({ now, random: ids, log, counters, listLagMs: lagOf, takesSubs });
  const meter = createMeter({
    quotas: options.quotas ?? {},
    burstSeconds: options.burstSeconds ?? 1,
    now,
    counters,
  });
  const closing = new AbortController();

  const controls: Controls = {
    pools,
    faults,
    log,
    counters,
    takeShare: (category: Category, ratePerSecond: number) => meter.takeShare(category, ratePerSecond),
    mintAccessToken(pool: string, username: string, tokenOptions?: TokenOptions): string {
      const user = pools.get(pool)?.user(username);
      if (user === undefined) throw new RangeError("Expected a pool and a user that are there, to mint a token for");
      return mintToken({ pool, username: user.username, sub: user.sub }, randomUuid(ids), now(), tokenOptions);
    },
  };
  const control = createControl(controls);
  const api = createApi({
    account: { pools, now, list: { shortPages, lags: listLagMs !== 0, now, random: randomOf(2) } },
    meter,
    faults,
    counters,
    log,
    credentials: options.credentials,
    drawLatencyMs: latencySource(options.latencyMs ?? 0, randomOf(3)),
    requestId: () => randomUuid(requestIds),
    closing: closing.signal,
  });

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
    void (request.url?.startsWith(CONTROL_PREFIX) ? control(request, response) : api(request, response));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });

  return {
    ...controls,
    url: urlOf(server.address()),
    async close() {
      closing.abort();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
