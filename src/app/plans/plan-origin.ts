/** Who makes a plan, and of what file. */
import { hostname, userInfo } from "node:os";
import { basename } from "node:path";
import type { PlanOrigin } from "../../plan/origin.ts";
import { packageVersion } from "../../version.ts";
import type { FeedInput } from "../feeds/feed-input.ts";

/** `role`: what the process is, where nobody has given a command. */
export function originOf({ source, checked, asOfMs }: FeedInput, role?: string): PlanOrigin | undefined {
  if (checked === undefined) return undefined;
  const maker = `${account()}@${hostname()}`;
  const { sha256, bytes } = checked;
  return {
    madeBy: role === undefined ? maker : `${role}, ${maker}`,
    madeAt: Date.now(),
    version: packageVersion(),
    asOf: asOfMs,
    file: { name: basename(source.name), sha256, bytes, modifiedAt: source.modifiedAtMs },
  };
}

function account(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}
