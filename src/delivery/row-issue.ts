/** What is wrong with a row, for the report: never a value or a username. */
export interface RowIssue {
  readonly line: number;
  /** Absent where the whole row is at fault. */
  readonly attribute?: string;
  readonly reason: string;
  readonly detail: string;
}
