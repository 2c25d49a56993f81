/** What waits of events for an approval, as a document for machines, and as text for people. */
import type { WaitingEvents } from "../app/runs/waiting-events.ts";
import { count, counted } from "../core/amounts.ts";
import { floodSentence } from "../core/flood.ts";
import { printable, valueText } from "../core/masking.ts";
import { spanText } from "../core/span.ts";
import type { Run } from "../store/runs.ts";
import { indent, table } from "./table.ts";

type Waiting = Pick<Run, "id" | "feed" | "pool" | "startedAt">;

const sentenceOf = ({ met }: WaitingEvents): string | undefined =>
  met && floodSentence(met.reached, spanText(met.withinMs));

/** Values are masked unless `showValues`; usernames are there, as everywhere at the command line. */
export function waitingDocument(waiting: WaitingEvents, { startedAt }: Waiting, showValues: boolean): object {
  const { met, people, values, looked, attributes, examples } = waiting;
  return {
    ...(met ? { guard: { ...met.reached, within: spanText(met.withinMs), sentence: sentenceOf(waiting) } } : {}),
    people,
    values,
    since: new Date(startedAt).toISOString(),
    looked,
    attributes: attributes.map(({ frequent, ...attribute }) => ({
      ...attribute,
      frequent: frequent.map(({ value, people: of }) => ({ value: valueText(value, showValues), people: of })),
    })),
    examples: examples.map(({ username, attribute, value }) => ({
      username,
      attribute,
      value: valueText(value, showValues),
    })),
  };
}

export function waitingText(
  waiting: WaitingEvents,
  { id, feed, pool, startedAt }: Waiting,
  { width, showValues }: { readonly width: number; readonly showValues: boolean },
): string {
  const { people, values, looked, attributes, examples } = waiting;
  const since = new Date(startedAt).toISOString();
  const of = looked < people ? ` of the ${count(looked)} people who were looked at` : "";
  const rows = attributes.flatMap(({ attribute, people: all, frequent }) => {
    const [first = ["–", ""], ...more] = frequent.map(({ value, people: same }) => [
      valueText(value, showValues),
      count(same),
    ]);
    return [[attribute, count(all), ...first], ...more.map((cells) => ["", "", ...cells])];
  });
  return [
    indent("", `${feed} → ${pool}, run ${id}`, width),
    ...[sentenceOf(waiting)].flatMap((said) => (said === undefined ? [] : indent("  ", said, width))),
    indent("  ", `Since ${since} ${counted(values, "value")} of ${counted(people, "person", "people")} wait.`, width),
    attributes.length === 0 ? "" : `\nThe most frequent values${of}:\n`,
    table(
      [
        { title: "ATTRIBUTE", shrinks: true },
        { title: "PEOPLE", align: "right" },
        { title: "VALUE", shrinks: true },
        { title: "OF THEM", align: "right" },
      ],
      rows,
      width,
    ),
    examples.length === 0 ? "" : "\nFor example:\n",
    table(
      [
        { title: "USERNAME", shrinks: true },
        { title: "ATTRIBUTE", shrinks: true },
        { title: "VALUE", shrinks: true },
      ],
      examples.map(({ username, attribute, value }) => [printable(username), attribute, valueText(value, showValues)]),
      width,
    ),
  ].join("");
}
