/** Dead letters as documents for machines, and as text for people. */
import type { LetterGroup } from "../app/letters/letter-groups.ts";
import type { LetterPage } from "../app/letters/letter-page.ts";
import type { LetterView } from "../app/letters/letter-view.ts";
import { adviceOf } from "../core/advice.ts";
import { age, count } from "../core/amounts.ts";
import { isLostPerson } from "../core/failure.ts";
import type { EventGroup } from "../app/events/parked-events.ts";
import { eventGroupDocument, eventGroupsText, eventLineText } from "./parked-events.ts";
import { indent, table } from "./table.ts";

/** A group with the view of its oldest letter. */
export interface ShownGroup {
  readonly group: LetterGroup;
  readonly example: LetterView;
}

export function groupsDocument(shown: readonly ShownGroup[], events: readonly EventGroup[]): object {
  const groups = shown.map(({ group, example }) => {
    const { kind, pool, reason, altered, letters, people, oldest, newest } = group;
    const { id, username, attribute, value } = example;
    const times = { oldest: new Date(oldest).toISOString(), newest: new Date(newest).toISOString() };
    const advice = adviceOfGroup(group);
    return {
      kind,
      pool,
      reason,
      altered,
      letters,
      people,
      ...times,
      example: { id, username, attribute, value },
      advice,
    };
  });
  const total = shown.reduce((sum, { group }) => sum + group.letters, 0);
  return {
    total: total + events.reduce((sum, group) => sum + group.events, 0),
    groups: [...groups, ...events.map(eventGroupDocument)],
  };
}

function adviceOfGroup({ kind, reason, altered }: LetterGroup): string {
  return altered ? adviceOf("altered") : adviceOf(kind, reason);
}

function noneText(filters: readonly string[], command: (...words: readonly string[]) => string): string {
  return filters.length > 0
    ? `No dead letter or parked event is so: \`${command("dead", "list")}\` without filters shows all.\n`
    : "No dead letters, and no parked events.\n";
}

interface GroupsLook {
  /** The filters of the list, as one would type them. */
  readonly filters: readonly string[];
  readonly width: number;
  /** Epoch ms. */
  readonly now: number;
  /** A follow-up command as the user would type it. */
  readonly command: (...words: readonly string[]) => string;
}

export function deadGroupsText(shown: readonly ShownGroup[], events: readonly EventGroup[], look: GroupsLook): string {
  const { filters, command } = look;
  if (shown.length + events.length === 0) return noneText(filters, command);
  return [
    [letterGroupsText(shown, look), eventGroupsText(events, look)].filter((part) => part !== "").join("\n"),
    `\nOne by one: ${command("dead", "list", "--letters", ...filters)}\n`,
  ].join("");
}

export function letterGroupsText(shown: readonly ShownGroup[], { width, now, command }: GroupsLook): string {
  const parts = [
    table(
      [
        { title: "KIND" },
        { title: "REASON", shrinks: true },
        { title: "PEOPLE", align: "right" },
        { title: "LETTERS", align: "right" },
        { title: "OLDEST", align: "right" },
        { title: "NEWEST", align: "right" },
        { title: "POOL", shrinks: true },
      ],
      shown.map(({ group: { kind, reason, altered, letters, people, oldest, newest, pool } }) => [
        kind,
        altered && kind !== "altered" ? "altered" : reason,
        count(people),
        count(letters),
        age(now - oldest),
        age(now - newest),
        pool,
      ]),
      width,
    ),
  ];
  // Reasons of a kind have one advice, but for those whose person is lost; those that were altered have another.
  const advised = new Map<string, ShownGroup>();
  for (const one of shown) {
    const { kind, reason, altered } = one.group;
    const wasAltered = altered && kind !== "altered";
    const title = wasAltered ? `${kind}: altered` : isLostPerson(reason) ? `${kind}: ${reason}` : kind;
    if (!advised.has(title)) advised.set(title, one);
  }
  for (const [title, { group, example }] of advised) {
    const { kind, reason, altered } = group;
    const { id, username, attribute, value } = example;
    parts.push(`\n${title}\n`, indent("  e.g. ", `${username}: ${attribute} = ${value}  (${id})`, width));
    parts.push(indent("  ", adviceOfGroup(group), width));
    // The others of their kind are not meant.
    if (isLostPerson(reason) || (altered && kind !== "altered")) continue;
    // A letter without its token is sent by nobody, nor is one that holds what is not its user's.
    const next = kind === "token-expired" || kind === "altered" ? "discard" : "replay";
    parts.push(`  ${command("dead", next, "--kind", kind)}\n`);
  }
  return parts.join("");
}

interface PageLook extends GroupsLook {
  /** Letters of a page. */
  readonly size: number;
}

/** Letters one by one: whose value is which, and why it was not written. */
export function letterPageText(
  { total, times: all, page, pages, letters, events }: LetterPage,
  { width, now, command, filters, size }: PageLook,
): string {
  if (total === 0) return noneText(filters, command);
  const list = (number: number): string => command("dead", "list", "--letters", ...filters, "--page", String(number));
  if (page > pages) return `There ${pages === 1 ? "is 1 page" : `are ${count(pages)} pages`}: ${list(pages)}\n`;
  const ago = (at: string): string => {
    const shown = age(now - Date.parse(at));
    return shown === "now" ? "now" : `${shown} ago`;
  };
  const areSeveral = new Set(letters.map(({ pool }) => pool)).size > 1;
  const shown = letters.map(({ id, pool, username, attribute, value, kind, reason, times, first, last }) => {
    const why = kind === reason ? kind : `${kind}: ${reason}`;
    const when = times === 1 ? ago(last) : `${count(times)} times, first ${ago(first)}, last ${ago(last)}`;
    const about = indent(`${id}  `, `${username}: ${attribute} = ${value}`, width);
    return `${about}${indent("  ", `${why}, ${when}${areSeveral ? `, in ${pool}` : ""}`, width)}`;
  });
  shown.push(...events.map((event) => eventLineText(event, width, ago)));
  const from = (page - 1) * size + 1;
  const to = Math.min(page * size, total);
  const names = events.length === 0 ? "letter" : letters.length === 0 ? "event" : "letters and event";
  const many = `${names.slice(0, 1).toUpperCase()}${names.slice(1)}s`;
  const which = total === 1 ? `1 ${names}` : `${many} ${count(from)} to ${count(to)} of ${count(total)}`;
  const often = all === total ? "" : `, buried ${count(all)} times in all`;
  return [
    ...shown,
    `\n${which}${often}.\n`,
    ...(page < pages ? [`More: ${list(page + 1)}\n`] : []),
    `One or several by their ids: ${command("dead", "show", "ID")} (or replay, discard)\n`,
  ].join("");
}

/** One letter, a line a field. */
export function letterText(view: LetterView, width: number): string {
  const pairs = (texts: Readonly<Record<string, string>>): string =>
    Object.entries(texts)
      .map(([key, text]) => `${key}=${text}`)
      .join(", ");
  return Object.entries<string | number | Readonly<Record<string, string>>>({ ...view })
    .map(([name, shown]) =>
      indent(`${name.padEnd(10)}  `, typeof shown === "object" ? pairs(shown) : String(shown), width),
    )
    .join("");
}
