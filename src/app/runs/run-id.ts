import { randomBytes } from "node:crypto";

/** An id that no other run has; those of later runs are later in the alphabet. */
export function freshRunId(): string {
  return `r-${Date.now().toString(36)}-${randomBytes(3).toString("hex")}`;
}

/** When an id was made, epoch ms. Undefined for anything else, such as a direct run's. */
export function timeOfRunId(id: string): number | undefined {
  const [, time] = /^r-([0-9a-z]{8,9})-[0-9a-f]{6}$/.exec(id) ?? [];
  return time === undefined ? undefined : Number.parseInt(time, 36);
}
