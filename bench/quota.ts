/**
 * What share of a quota is used, and how many calls are throttled: poolsync beside what people use instead, in real
 * processes. Each cell is kept as soon as it is measured, and the next run goes on with the rest. Cells of one setup
 * may be measured several at once, each with a Redis and an emulator of its own.
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { CELL, type Cell, type CellPlan, measureCell, SCENES, type Scene, type Setup } from "./quota-cell.ts";
import type { BenchContext, Outcome, Scenario, Table } from "./scenario.ts";

export const quota: Scenario = {
  name: "quota",
  about:
    "share of the quota and throttles, beside the SDK's retries and p-throttle (--only, --seconds, --at-once, --again)",
  run,
};

const SETUPS: readonly Setup[] = ["poolsync", "standard", "adaptive", "p-throttle"];
const QUOTAS = [25, 50, 200] as const;
const PROCESSES = [1, 4] as const;
/** What matters most comes first, so that a run that is cut has told it. */
const ORDER: readonly Scene[] = ["b", "a", "d", "c", "e", "f", "g"];
/** Of what only poolsync has a pace to disturb. */
const OURS: ReadonlySet<Scene> = new Set(["f", "g"]);

const kept = z.object({ cells: z.record(z.string(), CELL) });

function nameOf({ scene, quota: rate, processes, setup }: CellPlan): string {
  return `${scene} ${rate}/s ${processes}x ${setup}`;
}

async function run(context: BenchContext): Promise<Outcome> {
  const { values } = parseArgs({
    args: [...context.args],
    options: {
      only: { type: "string", default: "" },
      seconds: { type: "string", default: "60" },
      "at-once": { type: "string", default: "1" },
      again: { type: "boolean", default: false },
    },
  });
  const seconds = Number(values.seconds);
  const wanted = values.only.split(",").filter((part) => part !== "");
  const read = kept.safeParse(context.kept);
  const cells: Record<string, Cell> = read.success ? { ...read.data.cells } : {};
  const due = plans().filter((plan) => {
    const name = nameOf(plan);
    const measured = !values.again && (cells[name]?.seconds ?? 0) >= seconds;
    return !measured && wanted.every((part) => name.split(" ").includes(part));
  });
  for (const batch of batches(due, Number(values["at-once"]))) {
    const all = meeting(batch.length);
    const measured = await Promise.allSettled(
      batch.map((plan) => measureCell(plan, seconds, all.begun).catch((error: unknown) => all.fail(error))),
    );
    for (const [index, plan] of batch.entries()) {
      const each = measured[index];
      if (each?.status !== "fulfilled") throw new Error(`${nameOf(plan)} was not measured`, { cause: each?.reason });
      cells[nameOf(plan)] = each.value;
      context.say(`${nameOf(plan)}: ${shown(each.value)}`);
    }
    await context.keep({ cells });
  }
  const failed = Object.entries(cells)
    .filter(([name]) => name.endsWith("poolsync"))
    .reduce((sum, [, each]) => sum + each.failed + each.lost, 0);
  return { tables: tables(cells), figures: { cells }, failed };
}

function plans(): CellPlan[] {
  return SETUPS.flatMap((setup) =>
    ORDER.filter((scene) => setup === "poolsync" || !OURS.has(scene)).flatMap((scene) =>
      QUOTAS.flatMap((rate) => PROCESSES.map((processes) => ({ scene, quota: rate, processes, setup }))),
    ),
  );
}

/** Of one setup each: the SDK's standard retries take a whole core, and would be in the figures of the others. */
function batches(due: readonly CellPlan[], size: number): CellPlan[][] {
  return SETUPS.flatMap((setup) => {
    const own = due.filter((plan) => plan.setup === setup);
    return Array.from({ length: Math.ceil(own.length / size) }, (_, at) => own.slice(at * size, (at + 1) * size));
  });
}

/** Resolves for all once so many have begun; rejects for all where one fails. */
function meeting(size: number): { begun: () => Promise<void>; fail: (error: unknown) => never } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  let come = 0;
  return {
    begun() {
      come += 1;
      if (come === size) resolve();
      return promise;
    },
    fail(error) {
      reject(error);
      throw error;
    },
  };
}

function shown(each: Cell | undefined): string {
  if (each === undefined) return "";
  const throttled = ((100 * each.throttled) / Math.max(1, each.calls)).toFixed(2);
  const failed = each.failed + each.lost === 0 ? "" : `, ${each.failed + each.lost} failed`;
  return `${each.share.toFixed(3)} / ${throttled} %${failed}`;
}

function tables(cells: Readonly<Record<string, Cell>>): Table[] {
  const all = QUOTAS.flatMap((rate) => PROCESSES.map((processes) => ({ quota: rate, processes })));
  return ORDER.toSorted().flatMap((scene) => {
    const measured = all.filter((column) => SETUPS.some((setup) => nameOf({ ...column, scene, setup }) in cells));
    if (measured.length === 0) return [];
    return {
      title: `(${scene}) ${SCENES[scene]}: share of what remains to us / our calls that were throttled`,
      columns: [
        { title: "" },
        ...measured.map((column) => ({
          title: `${column.quota}/s, ${column.processes} ${column.processes === 1 ? "process" : "processes"}`,
          align: "right" as const,
        })),
      ],
      rows: SETUPS.filter((setup) => setup === "poolsync" || !OURS.has(scene)).map((setup) => [
        setup,
        ...measured.map((column) => shown(cells[nameOf({ ...column, scene, setup })])),
      ]),
    };
  });
}
