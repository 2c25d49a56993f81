/** Jobs of the queue `changes`, told to their producer, and told again when that process died before it said that one is there. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { until } from "../support/condition.ts";
import type { Child, Children } from "./children.ts";
import type { EventLoad, PlannedJob } from "./events.ts";
import type { Model } from "./model.ts";
import { startRole, type Lives, type Role } from "./roles.ts";

export interface JobsDeps {
  readonly children: Children;
  readonly lives: Lives;
  readonly model: Model;
  readonly load: EventLoad;
  readonly perSecond: number;
  readonly settings: { readonly url: string; readonly namespace: string };
}

export interface Jobs {
  readonly role: Role;
  readonly all: readonly PlannedJob[];
  readonly underWay: number;
  /** No more new ones; resolves when all are acknowledged. */
  finish(): Promise<void>;
}

export const JOB_PRODUCER = "job-producer";
const MOST_UNDER_WAY = 20;
const AGAIN_MS = 500;
const answer = z.object({ id: z.string(), failed: z.string().optional() });

export function startJobs({ children, lives, model, load, perSecond, settings }: JobsDeps): Jobs {
  const all: PlannedJob[] = [];
  const underWay = new Map<string, PlannedJob>();
  let child: Child | undefined;

  function tell(to: Child, job: PlannedJob): void {
    model.sent(job.change, Date.now());
    to.tell(JSON.stringify(job.order));
  }

  function heard(line: string): void {
    const { id, failed } = answer.parse(JSON.parse(line));
    const [job, by] = [underWay.get(id), child];
    if (failed === undefined) {
      model.acked(id, Date.now());
      underWay.delete(id);
    } else if (job && by) void sleep(AGAIN_MS).then(() => by.alive && underWay.has(id) && tell(by, job));
  }

  const role = startRole(
    children,
    lives,
    () => ({
      name: JOB_PRODUCER,
      file: "test/chaos/job-producer.ts",
      args: [JSON.stringify(settings)],
      env: {},
      stdin: true,
      onLine: heard,
    }),
    (born) => {
      child = born;
      for (const job of underWay.values()) tell(born, job);
    },
  );
  const timer = setInterval(() => {
    if (lives.over) return clearInterval(timer);
    if (!role.child || underWay.size >= MOST_UNDER_WAY) return;
    const job = load.job(Date.now());
    all.push(job);
    underWay.set(job.order.id, job);
    tell(role.child, job);
  }, 1000 / perSecond);

  return {
    role,
    all,
    get underWay() {
      return underWay.size;
    },
    async finish() {
      clearInterval(timer);
      await until("every job is added", () => underWay.size === 0, 120_000);
    },
  };
}
