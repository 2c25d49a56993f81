/** Parked events as text for people. */
import type { EventGroup, EventLine, EventView } from "../app/events/parked-events.ts";
import type { EventReplay } from "../app/events/replay-events.ts";
import { age, count, counted } from "../core/amounts.ts";
import { printable } from "../core/masking.ts";
import { indent, table } from "./table.ts";

interface Look {
  readonly width: number;
  /** Epoch ms. */
  readonly now: number;
  /** A follow-up command as the user would type it. */
  readonly command: (...words: readonly string[]) => string;
}

export function eventGroupDocument({ feed, reason, events, oldest, newest, example, advice }: EventGroup): object {
  const times = { oldest: new Date(oldest).toISOString(), newest: new Date(newest).toISOString() };
  return { kind: "event", feed, reason, events, ...times, example: { id: example }, advice };
}

/** Blank for none. */
export function eventGroupsText(groups: readonly EventGroup[], { width, now, command }: Look): string {
  const parts = [
    table(
      [
        { title: "KIND" },
        { title: "REASON", shrinks: true },
        { title: "EVENTS", align: "right" },
        { title: "OLDEST", align: "right" },
        { title: "NEWEST", align: "right" },
        { title: "FEED", shrinks: true },
      ],
      groups.map(({ feed, reason, events, oldest, newest }) => [
        "event",
        printable(reason),
        count(events),
        age(now - oldest),
        age(now - newest),
        printable(feed),
      ]),
      width,
    ),
  ];
  // A reason has one advice, whatever the feed.
  const advised = new Set<string>();
  for (const { reason: given, example, advice } of groups) {
    const reason = printable(given);
    if (advised.has(reason)) continue;
    advised.add(reason);
    parts.push(`\nevent: ${reason}\n  e.g. ${command("dead", "show", example)}\n`);
    if (advice !== "") parts.push(indent("  ", advice, width));
    // What is ahead of its time would be parked again.
    const next = reason === "ahead" ? "discard" : "replay";
    parts.push(`  ${command("dead", next, "--kind", "event", "--reason", reason)}\n`);
  }
  return parts.join("");
}

/** One of a list. */
export function eventLineText({ id, feed, reason, came }: EventLine, width: number, ago: (at: string) => string) {
  return `${indent(`${id}  `, `event of feed ${printable(feed)}`, width)}${indent("  ", `event: ${printable(reason)}, came ${ago(came)}`, width)}`;
}

/** One event, a line a field; its body last, in lines of its own. */
export function eventText({ body, left, why, ...view }: EventView, width: number): string {
  const { advice, ...fields } = view;
  const shown = {
    ...fields,
    ...(left ? { left: `records ${left.join(", ")}` } : {}),
    ...(why ? { why: why.join("; ") } : {}),
    advice,
    body,
  };
  return Object.entries<string | number>(shown)
    .map(([name, text]) =>
      // A body is in lines of its own, and printable already.
      indent(`${name.padEnd(11)}  `, name === "body" ? String(text) : printable(String(text)), width),
    )
    .join("");
}

/** What became of events that went back to the inbox. */
export function eventReplayText({ events, parkedAgain, ahead }: EventReplay, command: Look["command"]): string {
  const reasons = Object.entries(parkedAgain);
  const again = reasons.reduce((sum, [, number]) => sum + number, 0);
  const words = reasons.map(([reason, number]) => `${reason}: ${count(number)}`).join(", ");
  const changes = events - again - ahead;
  const parts = [
    ...(changes > 0 || events === 0 ? [counted(changes, "became changes", "became changes")] : []),
    ...(ahead > 0
      ? [
          counted(
            ahead,
            "waits for its time, for a scan of its pool, or for a name to pass on",
            "wait for their time, for a scan of their pool, or for a name to pass on",
          ),
        ]
      : []),
    ...(again > 0
      ? [`${counted(again, "is", "are")} parked again (${words}; see \`${command("dead", "list")}\`)`]
      : []),
  ];
  return `Mapped ${counted(events, "parked event")} anew: ${parts.join(", ")}.\n`;
}
