/** `admin-update-user-attributes`, given again until it has ended with 0, as somebody at a terminal would. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { flagOf } from "../../src/core/unit.ts";
import { until } from "../support/condition.ts";
import type { Asks } from "./asks.ts";
import type { Child, Children } from "./children.ts";
import type { Single } from "./load.ts";
import type { Model } from "./model.ts";
import type { Lives } from "./roles.ts";
import { POOL } from "./service.ts";

interface CommandMeans {
  readonly children: Children;
  readonly model: Model;
  readonly asks: Asks;
  readonly env: Readonly<Record<string, string>>;
}

export interface Command {
  readonly unfinished: boolean;
  /** The one that is not done yet, or another. `ended` waits for its process. */
  give(ended: (child: Child) => Promise<number | string>): Promise<void>;
}

const answer = z.object({ attributes: z.array(z.object({ name: z.string(), outcome: z.string() })) });

export function createCommand({ children, model, asks, env }: CommandMeans): Command {
  let current: Single | undefined;
  return {
    get unfinished() {
      return current !== undefined;
    },
    async give(ended) {
      current ??= asks.next("command");
      if (!current) return;
      const { change, order } = current;
      const values = Object.entries(order.attributes).flatMap(([name, value]) => {
        const flag = flagOf(name);
        return [`Name=${name},Value=${value}`, ...(flag === undefined ? [] : [`Name=${flag},Value=true`])];
      });
      const words = ["--user-pool-id", POOL, "--username", order.username, "--user-attributes", ...values];
      const despite = order.despitePause ? ["--despite-pause"] : [];
      let said = "";
      const begunAt = Date.now();
      model.sent(change, begunAt);
      const child = children.start({
        name: "command",
        file: "src/cli/main.ts",
        args: ["admin-update-user-attributes", ...words, ...despite, "--json"],
        env,
        onLine: (line) => (said += line),
      });
      if ((await ended(child)) !== 0) return;
      const answeredAt = Date.now();
      const outcomes = answer.parse(JSON.parse(said)).attributes.map(({ name, outcome }) => [name, outcome] as const);
      model.acked(change.id, answeredAt);
      asks.answered(change.id, { outcomes: Object.fromEntries(outcomes), begunAt, answeredAt });
      current = undefined;
    },
  };
}

const EVERY_MS = 3_000;

/** One after another, until they are to finish. */
export function startCommands(deps: CommandMeans & { readonly lives: Lives }): {
  unacknowledged(): number;
  finish(): Promise<void>;
} {
  const { lives } = deps;
  const command = createCommand(deps);
  let finishing = false;
  const loop = (async () => {
    while (!lives.over && (!finishing || command.unfinished)) {
      await command.give(async (child) => {
        const end = await child.ended;
        if (end !== 0)
          lives.exits.set(`command ended with ${end}`, (lives.exits.get(`command ended with ${end}`) ?? 0) + 1);
        return end;
      });
      if (!finishing) await sleep(EVERY_MS);
    }
  })();
  return {
    unacknowledged: () => (command.unfinished ? 1 : 0),
    async finish() {
      finishing = true;
      await until("the last command is carried out", () => !command.unfinished, 120_000);
      await loop;
    },
  };
}
