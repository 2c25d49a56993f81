/** The rule of the pace beside others, by simulation: no network, no clock, the same figures each time. */
import { parseArgs } from "node:util";
import { CONTROLLERS, type NamedController } from "./pace-controllers.ts";
import { DISTURBANCES, QUOTAS, SCENES, play, secondsUntilBack } from "./pace-scenes.ts";
import type { BenchContext, Outcome, Scenario, Table } from "./scenario.ts";

export const paceSim: Scenario = {
  name: "pace-sim",
  about: "the rule of the pace beside others, by simulation (--seeds 20)",
  run,
};

interface Figures {
  readonly share: number;
  readonly worstShare: number;
  readonly throttled: number;
  readonly worstThrottled: number;
}

const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
const percent = (share: number, digits: number): string => (100 * share).toFixed(digits);

async function run({ args, say }: BenchContext): Promise<Outcome> {
  const { values } = parseArgs({ args: [...args], options: { seeds: { type: "string", default: "20" } } });
  const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1);
  const figures: Record<string, unknown> = {};
  const tables: Table[] = [];
  const columns = [{ title: "" }, ...QUOTAS.map((quota) => ({ title: `quota ${quota}/s`, align: "right" as const }))];

  for (const { name, about } of SCENES) {
    say(`(${name}) ${about}`);
    const rows = CONTROLLERS.map((controller) => {
      const cells = QUOTAS.map((quota) => {
        const outcomes = seeds.map((nth) => play(name, quota, controller.create, nth));
        const cell: Figures = {
          share: mean(outcomes.map(({ share }) => share)),
          worstShare: Math.min(...outcomes.map(({ share }) => share)),
          throttled: mean(outcomes.map(({ throttledShare }) => throttledShare)),
          worstThrottled: Math.max(...outcomes.map(({ throttledShare }) => throttledShare)),
        };
        figures[`${name} ${quota} ${controller.name}`] = cell;
        return `${percent(cell.share, 1)} (${percent(cell.worstShare, 1)}) / ${percent(cell.throttled, 2)} (${percent(cell.worstThrottled, 2)})`;
      });
      return [controller.name, ...cells];
    });
    tables.push({
      title: `(${name}) ${about}: % of what is left to us (worst seed) / % of our calls throttled (worst)`,
      columns,
      rows,
    });
  }

  for (const { name, about } of DISTURBANCES) {
    say(about);
    const rows = CONTROLLERS.map((controller) => [controller.name, ...backCells(name, controller)]);
    tables.push({ title: `(a), and ${about}: seconds until 0.98 of the quota again (worst seed)`, columns, rows });
  }
  return { tables, figures, failed: 0 };

  function backCells(name: (typeof DISTURBANCES)[number]["name"], controller: NamedController): string[] {
    return QUOTAS.map((quota) => {
      const seconds = seeds.map((nth) => secondsUntilBack(name, quota, controller.create, nth));
      figures[`${name} ${quota} ${controller.name}`] = { mean: mean(seconds), worst: Math.max(...seconds) };
      return `${mean(seconds).toFixed(1)} (${Math.max(...seconds).toFixed(1)})`;
    });
  }
}
