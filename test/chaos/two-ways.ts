/**
 * A source whose changes go two ways: each by itself as an event, and all of them in an export. Each value says its place
 * in the source's order, so whoever reads what was written sees whether one ever went back.
 */
import type { LoggedWrite } from "./model.ts";

export interface SourceChange {
  /** Epoch ms. No two changes have the same. */
  readonly at: number;
  readonly username: string;
  readonly attribute: string;
  readonly value: string;
}

/** Attributes that belong together, as one system has them. */
export interface TwoWaySource {
  readonly attributes: readonly string[];
  readonly changes: readonly SourceChange[];
  change(username: string, attribute: string, at: number): SourceChange;
  /** Everybody as they were then, as CSV: `user`, the attributes, and `at`, the time of the row's last change. */
  exported(asOf: number): string;
  /** What there is now. */
  value(username: string, attribute: string): string;
}

/** Everybody has a value of each attribute from `begunAt` on. */
export function createSource(
  usernames: readonly string[],
  attributes: readonly string[],
  begunAt: number,
): TwoWaySource {
  const changes: SourceChange[] = [];
  /** Of each user and attribute, in their order. */
  const histories = new Map<string, SourceChange[]>();
  const historyOf = (username: string, attribute: string): readonly SourceChange[] =>
    histories.get(`${username} ${attribute}`) ?? [];
  let last = begunAt - 1;
  function change(username: string, attribute: string, at: number): SourceChange {
    last = Math.max(at, last + 1);
    const made = { at: last, username, attribute, value: `n${changes.length + 1}` };
    changes.push(made);
    histories.set(`${username} ${attribute}`, [...historyOf(username, attribute), made]);
    return made;
  }
  for (const username of usernames) for (const attribute of attributes) change(username, attribute, begunAt);
  return {
    attributes,
    changes,
    change,
    exported(asOf) {
      const rows = usernames.map((username) => {
        const then = attributes.map((attribute) => historyOf(username, attribute).findLast(({ at }) => at <= asOf));
        const at = Math.max(...then.map((one) => one?.at ?? 0));
        return [username, ...then.map((one) => one?.value ?? ""), at].join(",");
      });
      return [["user", ...attributes, "at"].join(","), ...rows, ""].join("\n");
    },
    value: (username, attribute) => historyOf(username, attribute).at(-1)?.value ?? "",
  };
}

/** Each value that was written over a later one, as `user attribute: later, then earlier`. */
export function wentBack(writes: readonly Pick<LoggedWrite, "username" | "attributes">[]): string[] {
  const there = new Map<string, number>();
  return writes.flatMap(({ username, attributes }) =>
    Object.entries(attributes).flatMap(([attribute, value]) => {
      const place = /^n(\d+)$/.exec(value)?.[1];
      if (place === undefined) return [];
      const unit = `${username} ${attribute}`;
      const before = there.get(unit) ?? 0;
      there.set(unit, Number(place));
      return Number(place) < before ? [`${unit}: n${before}, then ${value}`] : [];
    }),
  );
}
