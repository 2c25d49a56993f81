/** What is wrong with a file in columns that somebody maps, and with the file where it is wrong in most of them. */
import { FeedError } from "./feed-error.ts";

/** Throws a FeedError for a mapped column that could be one of two. */
export function refuseAmbiguous(
  ambiguous: ReadonlyMap<string, string> | undefined,
  mapped: ReadonlySet<string>,
  name: string,
): void {
  const problems = [...(ambiguous ?? [])].filter(([column]) => mapped.has(column)).map(([, why]) => why);
  if (problems.length > 0) {
    throw new FeedError("columns", `The columns of \`${name}\` do not fit: ${problems.join(". Also, ")}.`);
  }
}
