/**
 * A master with two replicas under three Sentinels. Each of the six stands behind a proxy of its own, by whose address
 * all others know it: clients, replicas and Sentinels alike go through proxies.
 */
import type { Scope } from "../../src/lifecycle.ts";
import { until } from "../support/condition.ts";
import { createMasterWatch } from "./master-watch.ts";
import type { Loss } from "./model.ts";
import type { Undo } from "./plan.ts";
import { freePort, openRedisProcesses, type RedisProcess } from "./redis-processes.ts";
import { setFull, storing } from "./redis-settings.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

export interface SentinelFleet {
  readonly kind: "sentinel";
  /** Of the Sentinels. There is no way past the proxies, because the Sentinels name those. */
  readonly url: string;
  readonly proxiedUrl: string;
  readonly links: { readonly redis: readonly TcpProxy[]; readonly sentinel: readonly TcpProxy[] };
  /** The server's own port. */
  masterPort(): Promise<number>;
  full(is: boolean): Promise<void>;
  /** The master is killed, or suspended until another has taken over, and brought back. */
  failover(by: "SIGKILL" | "SIGSTOP"): Promise<void>;
  /** Takes one of them away. What is returned brings it back, a replica until it replicates again. */
  away(of: "replica" | "sentinel", index: number, by: "SIGKILL" | "SIGSTOP"): Promise<Undo>;
}

export interface SentinelFleetOptions {
  readonly random: () => number;
  /** Told of the times in which acknowledged writes may have been lost, whether a failover was planned or not. */
  readonly lost: (loss: Loss) => void;
  /** Told of each failover. */
  readonly changed: () => void;
}

interface Node {
  readonly server: RedisProcess;
  readonly link: TcpProxy;
}

const MASTER = "chaos";
const DOWN_AFTER_MS = 1_500;
const SIZE = 3;
/** A Sentinel that was suspended watches for 30 s before it acts again, and two of them may do so at once. */
const FAILOVER_WITHIN_MS = 120_000;
/** Until a master that was suspended has noticed that its replicas have left it. */
const NOTICED_WITHIN_MS = 1_000;

/** `own` gets each part as it is opened, so that a fleet which fails half way leaves nothing behind. */
export async function startSentinelFleet(
  scope: Scope,
  directory: string,
  { random, lost, changed }: SentinelFleetOptions,
): Promise<SentinelFleet> {
  const processes = scope.defer(openRedisProcesses(directory), (opened) => opened.close());
  async function start(
    name: string,
    linesOf: (announced: number) => readonly string[],
    kind: "server" | "sentinel",
  ): Promise<Node> {
    const port = await freePort();
    const link = scope.defer(await startTcpProxy(port, random), (proxy) => proxy.close());
    return { server: await processes.start(name, port, linesOf(link.port), kind), link };
  }
  const servers: Node[] = [];
  for (let index = 0; index < SIZE; index += 1) {
    const first = servers[0];
    const lines = (announced: number): readonly string[] => [
      ...storing("everysec"),
      // A master that is cut off stops taking writes, instead of taking some that its successor never sees.
      "min-replicas-to-write 1",
      "min-replicas-max-lag 2",
      "replica-announce-ip 127.0.0.1",
      `replica-announce-port ${announced}`,
      ...(first ? [`replicaof 127.0.0.1 ${first.link.port}`] : []),
    ];
    servers.push(await start(`redis-${index}`, lines, "server"));
  }
  const sentinels: Node[] = [];
  for (let index = 0; index < SIZE; index += 1) {
    const lines = (announced: number): readonly string[] => [
      `sentinel monitor ${MASTER} 127.0.0.1 ${servers[0]?.link.port} 2`,
      `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER} 6000`,
      "sentinel announce-ip 127.0.0.1",
      `sentinel announce-port ${announced}`,
    ];
    sentinels.push(await start(`sentinel-${index}`, lines, "sentinel"));
  }
  for (const { server } of sentinels) {
    await until("each Sentinel knows the replicas and the others", async () => {
      const known = (what: string): Promise<unknown> => server.ask((client) => client.call("sentinel", what, MASTER));
      const [replicas, others] = [JSON.stringify(await known("replicas")), await known("sentinels")];
      const all = servers.slice(1).every(({ link }) => replicas.includes(`"${link.port}"`));
      return all && Array.isArray(others) && others.length === SIZE - 1;
    });
  }
  scope.defer(createMasterWatch({ servers: servers.map(({ server }) => server), lost, changed }), (watch) =>
    watch.stop(),
  );

  async function namedBy({ server }: Node): Promise<number> {
    try {
      const answer = await server.ask((client) => client.call("sentinel", "get-master-addr-by-name", MASTER));
      return Array.isArray(answer) ? Number(answer[1]) : 0;
    } catch {
      // It is killed or suspended.
      return 0;
    }
  }

  /** Whom two Sentinels name: one that was away may not have heard of the last failover yet. */
  async function namedMaster(): Promise<Node | undefined> {
    const named = await Promise.all(sentinels.map(namedBy));
    return servers.find(({ link }) => named.filter((port) => port === link.port).length > 1);
  }

  async function master(): Promise<Node> {
    let found: Node | undefined;
    await until(
      "two Sentinels name the same master",
      async () => (found = await namedMaster()) !== undefined,
      FAILOVER_WITHIN_MS,
    );
    if (!found) throw new Error("Expected two Sentinels to name the same master");
    return found;
  }

  async function replica(index: number): Promise<Node> {
    const named = await master();
    const others = servers.filter((each) => each !== named);
    const picked = others[index % others.length];
    if (!picked) throw new Error("Expected a replica");
    return picked;
  }

  function replication({ server }: Node): Promise<string> {
    return server.ask((client) => client.info("replication")).catch(() => "");
  }

  async function isReplicating(node: Node): Promise<void> {
    await until(
      "a server replicates the master",
      async () => {
        const told = await replication(node);
        return told.includes("role:master")
          ? (await namedMaster()) === node
          : told.includes("master_link_status:up") && told.includes("master_sync_in_progress:0");
      },
      FAILOVER_WITHIN_MS,
    );
  }

  function sentinel(index: number): Node {
    const picked = sentinels[index % SIZE];
    if (!picked) throw new Error("Expected a Sentinel");
    return picked;
  }

  const url = `redis+sentinel://${sentinels.map(({ link }) => `127.0.0.1:${link.port}`).join(",")}/${MASTER}`;
  return {
    kind: "sentinel",
    url,
    proxiedUrl: url,
    links: { redis: servers.map(({ link }) => link), sentinel: sentinels.map(({ link }) => link) },
    masterPort: async () => (await master()).server.port,
    async full(is) {
      // Another may be the master by the end.
      const meant = is ? [await master()] : servers;
      for (const { server } of meant) await setFull(server, is);
    },
    async failover(by) {
      const old = await master();
      if (by === "SIGKILL") await old.server.kill();
      else old.server.suspend();
      await until(
        "Sentinel names another master",
        async () => ![undefined, old].includes(await namedMaster()),
        FAILOVER_WITHIN_MS,
      );
      const backAt = Date.now();
      if (by === "SIGKILL") await old.server.startAgain();
      else {
        old.server.goOn();
        lost({ from: backAt, to: backAt + NOTICED_WITHIN_MS, why: "a master that was suspended goes on" });
      }
      await isReplicating(old);
    },
    async away(of, index, by) {
      const picked = of === "replica" ? await replica(index) : sentinel(index);
      if (by === "SIGKILL") await picked.server.kill();
      else picked.server.suspend();
      return async () => {
        if (by === "SIGKILL") await picked.server.startAgain();
        else picked.server.goOn();
        if (of === "replica") await isReplicating(picked);
      };
    },
  };
}
