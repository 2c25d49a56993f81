import { closeSync, openSync, writeSync } from "node:fs";
import { defined } from "../../core/defined.ts";
import type { RowIssue } from "../../delivery/row-issue.ts";
import { AppError } from "../app-error.ts";

/** The report of rows and attributes that were not put: NDJSON, readable by its owner only, made with its first line. */
export interface ReportFile {
  readonly path: string;
  readonly issues: number;
  /** The first of them, for the store. */
  readonly first: readonly RowIssue[];
  add(issue: RowIssue): void;
  close(): void;
}

/** A line of a report, with its end. */
export function reportLine({ line, attribute, reason, detail }: RowIssue): string {
  return `${JSON.stringify(defined({ line, attribute, reason, detail }))}\n`;
}

/** How many a store keeps of one run. */
const MOST_KEPT = 10_000;
const BUFFER_CHARS = 64 * 1024;

export function createReportFile(path: string): ReportFile {
  let file: number | undefined;
  let issues = 0;
  const first: RowIssue[] = [];
  let buffer = "";
  const flush = (): void => {
    if (buffer === "") return;
    try {
      file ??= openSync(path, "w", 0o600);
      // At once, and not as a stream: a feed that is wrong in every row must not pile up in memory.
      writeSync(file, buffer);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
      throw new AppError(
        "report",
        `The report \`${path}\` cannot be written (${code}): give another place with --report.`,
        {
          cause,
        },
      );
    }
    buffer = "";
  };
  return {
    path,
    first,
    get issues() {
      return issues;
    },
    add(issue) {
      issues += 1;
      if (first.length < MOST_KEPT) first.push(issue);
      buffer += reportLine(issue);
      if (buffer.length >= BUFFER_CHARS) flush();
    },
    close() {
      flush();
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
