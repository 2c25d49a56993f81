/** What processes hold in memory over a soak, and whether it grows. */
import { readFile } from "node:fs/promises";
import type { Child } from "./children.ts";

/** By so much the mean of the last third may be above that of the first; the heap of a process breathes. */
const MOST_GROWTH = 1.15;
const SLACK_MIB = 8;

export interface Resident {
  look(): Promise<void>;
  /** A line for each process, and which of them hold more at the end than at the beginning. */
  verdict(): { readonly lines: readonly string[]; readonly wrong: readonly string[] };
}

export function watchResident(processes: readonly Pick<Child, "name" | "pid">[]): Resident {
  const looks = new Map<string, number[]>(processes.map(({ name }) => [name, []]));
  return {
    async look() {
      for (const { name, pid } of processes) {
        const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
        const kib = /VmRSS:\s+(\d+)/.exec(status)?.[1];
        if (kib !== undefined) looks.get(name)?.push(Number(kib) / 1024);
      }
    },
    verdict() {
      const lines: string[] = [];
      const wrong: string[] = [];
      for (const [name, all] of looks) {
        const third = Math.max(1, Math.floor(all.length / 3));
        const [first, last] = [mean(all.slice(0, third)), mean(all.slice(-third))];
        const said = `${name}: RSS ${first.toFixed(0)} MiB in the first third, ${last.toFixed(0)} in the last, at most ${Math.max(...all).toFixed(0)}`;
        lines.push(said);
        if (last > first * MOST_GROWTH + SLACK_MIB) wrong.push(`memory grew, of ${said}`);
      }
      return { lines, wrong };
    },
  };
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}
