/** The report that the store keeps of a run, as a document for machines, and as text for people. */
import type { RunReport } from "../app/runs/kept-report.ts";
import { count } from "../core/amounts.ts";
import type { SummaryWords } from "./run-summary.ts";
import { indent, table } from "./table.ts";

export function reportDocument({ run: { id, feed, pool }, kept, isEmpty }: RunReport): object {
  const none = isEmpty ? { of: 0, issues: [] } : {};
  return { run: id, feed, pool, isKept: kept !== undefined || isEmpty, ...(kept ?? none) };
}

export function reportText(
  { run: { id, feed, state, source }, kept, isEmpty }: RunReport,
  { width, command }: { readonly width: number; readonly command: SummaryWords["command"] },
): string {
  if (kept === undefined) {
    if (source === "events" && !isEmpty) {
      const left = `Run ${id} is of events, of which no report is kept: \`${command("explain", "USERNAME")}\` tells of one user what was left out.`;
      return indent("", left, width);
    }
    const says = isEmpty ? `Run ${id} has left out nothing of ${feed}` : `No report of run ${id} is kept`;
    const sofar = "so far: it is kept once the whole file is put.";
    if (state === "reading") return indent("", `${says} ${sofar}`, width);
    if (isEmpty) return indent("", `${says}.`, width);
    const why = `it was not put to its end, its keys were made anew since, or an older version put it. Give the same sync again, or look at what is left with \`${command("runs", "show", id)}\`.`;
    return indent("", `${says}: ${why}`, width);
  }
  const rows = kept.issues.map(({ line, attribute = "(the row)", reason, detail }) => [
    String(line),
    attribute,
    reason,
    detail,
  ]);
  const columns = [
    { title: "LINE", align: "right" as const },
    { title: "ATTRIBUTE", shrinks: true },
    { title: "REASON" },
    { title: "WHAT IS EXPECTED", shrinks: true, wraps: true },
  ];
  const cut =
    kept.of > kept.issues.length
      ? indent(
          "",
          `These are the first ${count(kept.issues.length)} of ${count(kept.of)}. The report file has all of them, where the run was made.`,
          width,
        )
      : "";
  return indent("", `What run ${id} did not put of ${feed}:`, width) + table(columns, rows, width) + cut;
}
