/** What a run came to, for people and as a document. */
import type { Loss } from "./model.ts";
import type { Plan } from "./plan.ts";
import type { Verdict } from "./verdict.ts";

export interface ChaosReport {
  readonly seed: number;
  readonly engine: string;
  readonly topology?: string;
  readonly startedAt: string;
  readonly faultsForMs: number;
  readonly tookMs: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly serviceErrors: Readonly<Record<string, number>>;
  readonly exits: Readonly<Record<string, number>>;
  readonly losses: readonly Loss[];
  readonly drainMs: number;
  readonly verdicts: readonly Verdict[];
  readonly holds: boolean;
}

/** Counts what a plan's faults came to. */
export function createTally(): { add(name: string): void; readonly counts: Readonly<Record<string, number>> } {
  const counts: Record<string, number> = {};
  return {
    counts,
    add(name) {
      counts[name] = (counts[name] ?? 0) + 1;
    },
  };
}

export function planText({ seed, engine, topology, forMs, faults, others, handovers, gateActs }: Plan): string {
  const lines = faults.map(({ atMs, fault }) => {
    const { kind, ...rest } = fault;
    const said = Object.entries(rest).map(
      ([name, value]) =>
        `${name} ${typeof value === "object" ? Object.values(value as object).join(" ") : String(value)}`,
    );
    return `  ${(atMs / 1000).toFixed(1).padStart(7)} s  ${kind} ${said.join(", ")}`;
  });
  const cancels = gateActs.filter(({ kind }) => kind === "cancel").length;
  const on = topology === undefined ? engine : `${engine} (${topology})`;
  return [
    `Seed ${seed}, ${on}, faults for ${Math.round(forMs / 1000)} s: ${faults.length} planned, ${others.length} writes of somebody else, ${handovers.length} times that names are passed on, ${cancels} cancels and ${gateActs.length - cancels} pauses`,
    ...lines,
    "",
  ].join("\n");
}

const lossText = ({ why, from, to, at }: Loss): string =>
  at === undefined ? `${why} (${to - from} ms)` : `${why} at ${new Date(at).toISOString()}`;

export function reportText(report: ChaosReport): string {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "none";
  const lines = [
    `Faults: ${list(report.faults)}`,
    `Calls that met a fault: ${list(report.serviceErrors)}`,
    `Processes that ended by themselves: ${list(report.exits)}`,
    `Redis lost writes: ${report.losses.map(lossText).join("; ") || "never"}`,
    `Everything was delivered ${(report.drainMs / 1000).toFixed(1)} s after the last fault.`,
  ];
  for (const { invariant, title, holds, facts, broken } of report.verdicts) {
    const said = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
    lines.push(`${holds ? "holds" : "BROKEN"}  ${invariant}. ${title}${said.length > 0 ? `: ${said.join(", ")}` : ""}`);
    for (const line of broken) lines.push(`        ${line}`);
  }
  lines.push(
    `${report.holds ? "All invariants hold" : "An invariant is broken"}: seed ${report.seed}, ${report.engine}.`,
    "",
  );
  return lines.join("\n");
}
