/** A plan as a document for machines, and as text for people. */
import { blindSentence, guardSentence } from "../core/guards.ts";
import type { Example, PlanFigures } from "../plan/figures.ts";
import { notPutCount, totalActions } from "../plan/figures.ts";
import type { NotPut } from "../plan/not-put.ts";
import type { PlanOrigin } from "../plan/origin.ts";
import type { PlanSummary } from "../plan/plan-lines.ts";
import { count, counted, duration } from "../core/amounts.ts";
import { printable } from "../core/masking.ts";
import { missedSentence } from "./missed.ts";
import { staleSentence } from "./stale.ts";
import { indent, table } from "./table.ts";

/** Cognito's own e-mail stops here each day; SES and SMS have limits of the account's. */
const MESSAGES_A_DAY = 50;

/**
 * Values are left out unless `showValues`; usernames are there, as everywhere at the command line. `notPut`: all of it,
 * where it is at hand.
 */
export function planDocument(
  { id, feed, figures, broken, blind, tooFew, examples, kinds, notPut: first, origin }: PlanSummary,
  pool: string,
  showValues: boolean,
  notPut: Iterable<NotPut> = first,
) {
  const shown = (example: Example): object => (showValues ? example : masked(example));
  return {
    plan: id,
    feed,
    pool,
    ...(origin === undefined ? {} : { origin: originDocument(origin, figures, showValues) }),
    ...figures,
    finishesAt: new Date(Date.now() + figures.durationMs).toISOString(),
    guards: broken.map(({ examples: guardExamples, value: _digest, ...guard }) => ({
      ...guard,
      sentence: guardSentence(guard),
      examples: guardExamples.map(shown),
    })),
    blind,
    tooFew,
    examples: examples.map(shown),
    kinds,
    notPut: [...notPut],
  };
}

/** What anybody may see of an example: how its values differ, and nothing of them. */
function masked({ before: _before, after: _after, ...rest }: Example): Example {
  return rest;
}

/** A shorter file could be guessed, line by line, by whoever has its digest and sees what is changed. */
const LEAST_ROWS = 10;

/** Undefined where what is masked could be guessed by it. */
export function shownDigest(
  { file }: PlanOrigin,
  { rows }: Pick<PlanFigures, "rows">,
  showValues: boolean,
): string | undefined {
  return showValues || rows.read >= LEAST_ROWS ? file.sha256 : undefined;
}

function originDocument(origin: PlanOrigin, figures: PlanFigures, showValues: boolean): object {
  const { madeBy, madeAt, version, asOf, file } = origin;
  const { sha256: _sha256, modifiedAt, ...facts } = file;
  const iso = (ms: number): string => new Date(ms).toISOString();
  const digest = shownDigest(origin, figures, showValues);
  return {
    madeBy,
    madeAt: iso(madeAt),
    version,
    asOf: iso(asOf),
    file: { ...facts, ...(digest === undefined ? {} : { sha256: digest }), modifiedAt: iso(modifiedAt) },
  };
}

export interface PlanLook {
  readonly pool: string;
  /** Without bars. */
  readonly noColor: boolean;
  readonly showValues?: boolean;
}

/** So many are shown at a terminal. */
const SHOWN = 10;
const BAR = 20;
const WIDE_ENOUGH = 70;

export function planText(plan: PlanSummary, { pool, noColor, showValues = false }: PlanLook, width: number): string {
  const { id, feed, figures, broken, examples } = plan;
  const { rows, users, unlisted = 0 } = figures;
  const bars = !noColor && width >= WIDE_ENOUGH;
  const line = (text: string): string => indent("  ", text, width);
  const parts = [
    indent("", `${feed} → ${pool}, plan ${id}`, width),
    line(`Compared ${comparedWith(figures)}`),
    "\n",
    line(
      `${counted(rows.read, "row")}, ${rows.faulty === 0 ? "none at fault" : `${count(rows.faulty)} at fault: ${reasons(figures.faults)}`}`,
    ),
  ];
  if (figures.baseline === "none") parts.push(line(`${counted(users.changed, "user")} would be written`));
  else {
    const missing = unlisted === 0 ? "" : `, and ${count(unlisted)} whom the pool does not list`;
    parts.push(line(`${counted(users.matched - unlisted, "user")} matched${missing}`));
    for (const [what, amount] of [
      ["change", users.changed],
      ["stay as they are", users.unchanged],
    ] as const) {
      const share = users.matched === 0 ? 0 : amount / users.matched;
      parts.push(line(`${bars ? `${bar(share)} ` : ""}${count(amount)} ${what} (${percent(share)})`));
    }
  }
  parts.push("\n", attributesText(figures, width, bars), "\n");
  for (const sentence of consequences(figures)) parts.push(line(sentence));
  parts.push(notPutText(plan, width));
  // Guards that are broken show what they are about.
  if (broken.every((guard) => guard.examples.length === 0) && examples.length > 0) {
    parts.push("\n", `For example${examples.length > SHOWN ? `, the first ${SHOWN}` : ""}:\n`);
    parts.push(examplesText(examples.slice(0, SHOWN), width, showValues));
  }
  parts.push("\n");
  for (const sentence of heldSentences(plan)) parts.push(line(sentence));
  for (const guard of broken) {
    parts.push(line(`✗ ${guardSentence(guard)}`));
    parts.push(examplesText(guard.examples, width, showValues));
  }
  return parts.join("");
}

function notPutText({ figures, notPut }: PlanSummary, width: number): string {
  const all = notPutCount(figures);
  if (all === 0 || notPut.length === 0) return "";
  const shown = notPut.slice(0, SHOWN);
  const rows = shown.map(({ line, username = "–", attribute = "(the row)", reason }) => [
    String(line),
    printable(username),
    attribute,
    reason,
  ]);
  const columns = [
    { title: "LINE", align: "right" as const },
    { title: "USERNAME", shrinks: true },
    { title: "ATTRIBUTE", shrinks: true },
    { title: "REASON" },
  ];
  const more =
    all > shown.length
      ? indent(
          "",
          `And ${count(all - shown.length)} more: \`plan --report FILE\` lists all, and so does its --json.`,
          width,
        )
      : "";
  return `\nNot put:\n${table(columns, rows, width)}${more}`;
}

/** What is said of the guards that are not broken. */
export function heldSentences({
  broken,
  blind,
  tooFew,
}: Pick<PlanSummary, "broken" | "blind" | "tooFew">): readonly string[] {
  if (broken.some(({ guard }) => guard === "blind")) return [];
  if (blind.length > 0)
    return [...(broken.length === 0 ? ["All guards that could look hold."] : []), blindSentence(blind)];
  if (broken.length > 0) return [];
  return tooFew === undefined
    ? ["All guards hold."]
    : [`Guards that go by shares look at ${counted(tooFew, "row")} and more: here they did not.`];
}

/** What a plan was compared with, behind "Compared". */
export function comparedWith({ baseline, scan }: PlanFigures): string {
  // Memory leaves nothing alone: what seems equal is looked at as well.
  const later =
    "A sync looks at each user, which costs a call, also where a value seems equal, and writes what differs.";
  if (baseline === "none") return `with nothing, so it cannot know what is there. ${later}`;
  if (baseline === "ledger" || !scan) {
    return `with what poolsync wrote last, so it cannot know what others have changed since. ${later}`;
  }
  const again = scan.begunAgain ? " (a page's token expired, and the scan was begun again)" : "";
  const how = scan.oneByOne === true ? "looked at one by one" : "read";
  return `with the pool: ${counted(scan.users, "user")} ${how} in ${counted(scan.pages, "call")}, ${duration(scan.durationMs)}${again}.`;
}

/** What the plan means beside the values themselves, a sentence each. */
export function consequences(figures: PlanFigures, now = Date.now()): readonly string[] {
  const { invalid, messages, federated, newlyActive, calls, pace, durationMs } = figures;
  const sentences: string[] = [];
  const healable = figures.scan?.healable ?? 0;
  if (healable > 0) {
    sentences.push(`A sync would also replay ${counted(healable, "dead letter")} whose cause is gone.`);
  }
  const { invalid: wrong, write: unlisted } = totalActions(figures);
  if (figures.baseline === "live" && unlisted > 0) {
    sentences.push(
      `${counted(unlisted, "value is", "values are")} of users whom the pool does not list: they are sent all the same, because the list lags, and become dead letters where there is no such user.`,
    );
  }
  const { ownersUnknown = 0 } = figures;
  if (ownersUnknown > 0) {
    const names = counted(ownersUnknown, "new sign-in name");
    sentences.push(
      `Not everybody was read: who has the ${names} is looked at at the write; one that is somebody else's becomes a dead letter.`,
    );
  }
  if (figures.missed) sentences.push(missedSentence(figures.missed));
  if (figures.stale) sentences.push(staleSentence(figures.stale, "would be left", now));
  if (wrong > 0) sentences.push(`${counted(wrong, "value")} cannot be written: ${reasons(invalid)}.`);
  const { marked } = figures;
  if (marked !== undefined) {
    const named = [
      ...(marked.email > 0 ? [counted(marked.email, "e-mail address", "e-mail addresses")] : []),
      ...(marked.phone_number > 0 ? [counted(marked.phone_number, "phone number")] : []),
    ];
    sentences.push(
      `${named.join(" and ")} would be marked as verified: nobody is asked whether they are theirs, and whoever has them can sign in or reset a password by them.`,
    );
  }
  const all = messages.email + messages.phone_number;
  if (all > 0) {
    const limit = messages.email > MESSAGES_A_DAY ? ", which this exceeds" : "";
    sentences.push(
      `Cognito would send ${counted(messages.email, "verification e-mail")} and ${counted(messages.phone_number, "text message")}. Its own e-mail is limited to ${MESSAGES_A_DAY} a day${limit}.`,
    );
  }
  if (federated.users > 0) {
    sentences.push(
      `${counted(federated.users, "user")} who change sign in through an identity provider; ${count(federated.overwritten)} would have values overwritten by it at the next sign-in.`,
    );
  }
  if (federated.unchecked.length > 0) {
    sentences.push(
      `Not checked: what ${federated.unchecked.join(", ")} overwrites (allow cognito-idp:DescribeIdentityProvider).`,
    );
  }
  sentences.push(`Newly billed as active users this month: up to ${count(newlyActive)}.`);
  const done = new Date(now + durationMs).toISOString().slice(0, 16).replace("T", " ");
  sentences.push(
    `${figures.baseline === "live" ? "" : "Up to "}${counted(calls.updates, "call")} of UserUpdate and ${count(calls.lists)} of UserList: ${duration(durationMs)} at ${rate(pace.updatesPerSecond)} and ${rate(pace.listsPerSecond)} a second, done at ${done} UTC.`,
  );
  return sentences;
}

function attributesText(figures: PlanFigures, width: number, bars: boolean): string {
  const written = figures.baseline !== "live";
  const all = Object.entries(figures.attributes);
  const most = Math.max(1, figures.users.matched);
  const kinds = (written ? ["write", "clear", "unchanged"] : ["set", "change", "clear", "unchanged"]) as readonly (
    | "write"
    | "set"
    | "change"
    | "clear"
    | "unchanged"
  )[];
  const more = (written ? [] : ["write"]) as readonly "write"[];
  const rest = ([...more, "awaiting", "superseded", "stale", "invalid"] as const).filter((kind) =>
    all.some(([, counts]) => counts[kind] > 0),
  );
  return table(
    [
      { title: "ATTRIBUTE", shrinks: true },
      ...[...kinds, ...rest].map((kind) => ({
        title: kind.toUpperCase(),
        align: "right" as const,
        spare: all.every(([, counts]) => counts[kind] === 0),
      })),
      ...(bars ? [{ title: "", spare: true }] : []),
    ],
    all.map(([name, counts]) => [
      name,
      ...[...kinds, ...rest].map((kind) => count(counts[kind])),
      ...(bars ? [bar((counts.set + counts.change + counts.clear + counts.write) / most)] : []),
    ]),
    width,
  );
}

function examplesText(examples: readonly Example[], width: number, showValues: boolean): string {
  return table(
    [
      { title: "LINE", align: "right" },
      { title: "USERNAME", shrinks: true },
      { title: "ATTRIBUTE", shrinks: true },
      // Beside values there is little room.
      { title: "DIFFERENCE", shrinks: showValues },
      ...(showValues
        ? [
            { title: "BEFORE", shrinks: true },
            { title: "AFTER", shrinks: true },
          ]
        : []),
    ],
    examples.map(({ line, username, attribute, difference = "–", before = nothingBefore(difference), after = "–" }) => [
      String(line),
      printable(username),
      attribute,
      difference,
      ...(showValues ? [printable(before), printable(after)] : []),
    ]),
    width,
  );
}

/** What stands for a value that is not known: there was none, or nobody looked. */
export function nothingBefore(difference: string | undefined): string {
  return difference === "not compared" ? "?" : "–";
}

function bar(share: number): string {
  const filled = share > 0 ? Math.max(1, Math.round(Math.min(1, share) * BAR)) : 0;
  return "█".repeat(filled) + "░".repeat(BAR - filled);
}

/** `user-unknown 10, no-username 2` */
function reasons(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, amount]) => `${reason} ${count(amount)}`)
    .join(", ");
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function rate(perSecond: number): string {
  return perSecond.toFixed(perSecond < 10 ? 1 : 0);
}
