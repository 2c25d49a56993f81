/** What `guards.events` says: how many people events may change within a while before somebody looks. */
import { z } from "zod";
import { form, map } from "./config-form.ts";
import { span } from "./schedule.ts";
import { DEFAULT_GUARDS, type FloodLimits } from "../core/guards.ts";
import { SPAN_FORM } from "../core/span.ts";

/** Who was counted is read and written with each page that changes somebody. */
const MOST_PEOPLE = 10_000;
/** So many people with one value are no everyday change of a few, as for plans. */
const LEAST_SAME = 10;
const LEAST_WITHIN_MS = 60_000;
const LONGEST_WITHIN_MS = 86_400_000;

const PEOPLE_FORM = `a whole number from 1 to ${MOST_PEOPLE}`;
const people = z
  .int({ error: form(PEOPLE_FORM) })
  .min(1, { error: form(PEOPLE_FORM) })
  .max(MOST_PEOPLE, { error: form(PEOPLE_FORM) });
const SAME_FORM = `${PEOPLE_FORM}, or \`off\``;

const limits = map("a map such as `{ people: 500, within: 10m }`, or `off`", {
  people: people.optional(),
  within: span(
    `${SPAN_FORM}, from a minute to a day`,
    (ms) => ms >= LEAST_WITHIN_MS && ms <= LONGEST_WITHIN_MS,
  ).optional(),
  sameValue: z.union([z.literal("off"), people], { error: form(SAME_FORM) }).optional(),
});

type SaidLimits = "off" | z.output<typeof limits>;

/** A union would say of no key what is wrong with it. */
export const floodForm = z
  .unknown()
  .transform((given, context): SaidLimits | undefined => {
    if (given === "off" || given === undefined) return given;
    const read = limits.safeParse(given);
    if (read.success) return read.data;
    for (const { path, message } of read.error.issues) context.addIssue({ code: "custom", path, message });
    return z.NEVER;
  })
  .optional();

/** What is said over what holds else. */
export function floodOf(said: SaidLimits | undefined, others: FloodLimits | undefined): FloodLimits | undefined {
  if (said === undefined) return others;
  if (said === "off") return undefined;
  const before = others ?? DEFAULT_GUARDS.events;
  if (before === undefined) throw new Error("Expected the guard of events to be on by default");
  const { people: most = before.people, within = before.withinMs } = said;
  // Who says another number of people means one value for as great a part of them.
  const { sameValue: same } = before;
  const scaled = same && Math.max(Math.ceil((same * most) / before.people), Math.min(same, LEAST_SAME));
  const { sameValue = scaled } = said;
  return { people: most, withinMs: within, sameValue: sameValue === "off" ? undefined : sameValue };
}
