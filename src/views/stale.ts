import { counted } from "../core/amounts.ts";
import type { StaleFigures } from "../plan/figures.ts";

/**
 * That values are older than what poolsync has written since, and what to do where they are right all the same. `left`:
 * what a sync has done about them, or would do.
 */
export function staleSentence(
  { values, rows, asOf, column, events }: Omit<StaleFigures, "rows"> & { readonly rows?: number },
  left: "left" | "would be left",
  now = Date.now(),
): string {
  const of = rows === undefined ? "" : ` of ${counted(rows, "row")}`;
  const are = values === 1 ? "is" : "are";
  const what = `${counted(values, "value")}${of} ${are} stale, and ${left === "left" ? (values === 1 ? "was " : "were ") : ""}${left}: poolsync has written newer ones`;
  if (events === true) {
    const which = column === undefined ? `of ${seconds(asOf ?? "")}` : `their rows are by the column \`${column}\``;
    return `${what} than ${which}, as events bring them.`;
  }
  if (column !== undefined) {
    return `${what} than their rows are by the column \`${column}\`. Where they are right all the same, that column is to say a later time.`;
  }
  if (asOf === undefined) return `${what} since. Where they are right all the same, plan them anew.`;
  const wholeSecond = Math.ceil(now / 1000) * 1000;
  return `${what} than of ${seconds(asOf)}, which is the time of the file, or what --as-of says. Where they are right all the same, give the file again with --as-of ${seconds(new Date(wholeSecond).toISOString())}.`;
}

function seconds(iso: string): string {
  return iso.replace(/\.\d+Z$/, "Z");
}
