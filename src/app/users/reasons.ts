/** Why a user's values are as they are, in sentences: what is in the way, and who wrote what, attribute by attribute. */
import { adviceOfRow } from "../../core/row-advice.ts";
import { counted } from "../../core/amounts.ts";
import type { ListedUser } from "../../core/comparison.ts";
import type { LetterView } from "../letters/letter-view.ts";
import type { ExceptionView, Explanation, LedgerUnit, PendingUnit } from "./explanation.ts";

export interface UserFacts extends Pick<Explanation, "pending" | "exceptions" | "holds" | "ledger"> {
  /** Null where the pool does not list the user, undefined where it could not be asked. */
  readonly listed: ListedUser | null | undefined;
  readonly letters: readonly (LetterView & { readonly feed?: string })[];
  /** A process has the user in hand. */
  readonly inHand: boolean;
  /** A gate keeps all that is pending. */
  readonly isKept: boolean;
  /** Attributes whose former value stays until the person has confirmed the new one. */
  readonly heldUntilConfirmed: readonly string[];
}

const NOTHING_KNOWN =
  "poolsync knows of no change of this user: none waits, was written or was refused. What a cancelled run had put leaves nothing here.";

export function reasons(facts: UserFacts): string[] {
  const { listed, inHand, isKept, pending, letters, exceptions, holds, ledger } = facts;
  const sentences: string[] = [];
  if (listed === null) sentences.push("The pool does not list this user: the username is another, or the user is new.");
  for (const { scope, kind, advice } of holds) {
    sentences.push(`${scope === "pool" ? "The pool is" : "E-mail and phone are"} on hold (${kind}). ${advice}`);
  }
  if (inHand) sentences.push("A process has the user in hand.");
  if (pending.length > 0 && holds.length === 0 && !inHand && !isKept) {
    sentences.push(
      "What is pending is delivered by a worker, by the command that goes on with its run, or by a sync with --leftovers.",
    );
  }
  const troubled = new Set([
    ...[...pending, ...letters, ...exceptions].map(({ attribute }) => attribute),
    ...ledger.filter((unit) => !isThere(unit)).map(({ attribute }) => attribute),
  ]);
  troubled.delete("");
  for (const attribute of [...troubled].toSorted()) {
    const of = <T extends { readonly attribute: string }>(units: readonly T[]): T[] =>
      units.filter((unit) => unit.attribute === attribute);
    const [unit] = of(ledger);
    const parts = [
      ...of(pending).flatMap(pendingSentences),
      ...of(letters).flatMap((letter) => letterSentences(letter, listed?.sub, unit)),
      ...of(exceptions).map((exception) => `${exceptionText(exception)}${newerText(exception, unit)}`),
      ...(unit === undefined ? [] : writtenSentences(unit, facts)),
    ];
    if (parts.length > 0) sentences.push(parts.join(" "));
  }
  for (const exception of exceptions) if (exception.attribute === "") sentences.push(exceptionText(exception));
  if (ledger.some(({ formerAccount }) => formerAccount === true)) {
    sentences.push(
      "The account was deleted and made anew since poolsync wrote it: what it wrote before counts no more.",
    );
  }
  if (sentences.length === 0 && pending.length === 0) {
    if (ledger.length === 0) return [NOTHING_KNOWN];
    // What could not be looked at is not known to be there.
    const isKnown = listed !== undefined && ledger.some(({ known }) => known);
    sentences.push(isKnown ? "Nothing waits, and what poolsync wrote last is there." : "Nothing waits.");
  }
  return [...sentences, ...quietSentences(ledger.filter((unit) => isThere(unit) && !troubled.has(unit.attribute)))];
}

/** Nothing is to be said of it but who wrote it. */
function isThere({ changedSince, formerAccount, outcome }: LedgerUnit): boolean {
  return changedSince !== true && formerAccount !== true && outcome !== "unresolved";
}

/** `run r-1 of people.csv` */
function byWhom({ run, feed }: { readonly run?: string; readonly feed?: string }): string {
  if (run === undefined) return "a run that nobody knows any more";
  if (run.startsWith("direct:")) return "a single change";
  return feed === undefined ? `run ${run}` : `run ${run} of ${feed}`;
}

/** ` for email j***@e***.com (asked at …)`: how and when the person was found. */
function namedText({ namedBy, namedAt }: Pick<PendingUnit, "namedBy" | "namedAt">): string {
  return namedBy === undefined || namedAt === undefined ? "" : ` for ${namedBy} (asked at ${namedAt})`;
}

/** What one run wrote, or found, is one sentence. */
function quietSentences(ledger: readonly LedgerUnit[]): string[] {
  const groups = Map.groupBy(ledger, ({ outcome, known, written, ...run }) =>
    JSON.stringify([outcome, known, byWhom(run), written && byWhom(written)]),
  );
  const latest = (times: readonly string[]): string => times.toSorted().at(-1) ?? "";
  return [...groups.values()].flatMap((units) => {
    const [first] = units;
    if (first === undefined) return [];
    const names = units.map(({ attribute }) => `\`${attribute}\``).join(", ");
    const at = latest(units.map((unit) => unit.at ?? ""));
    const written = first.written && { ...first.written, at: latest(units.map((unit) => unit.written?.at ?? "")) };
    const did = didWhat({ ...first, at, ...(written && { written }) });
    return [`${names} ${units.length === 1 ? "was" : "were"} ${did}.`];
  });
}

/** `written at … by run r-1 of people.csv` */
function didWhat(unit: LedgerUnit): string {
  const { at = "" } = unit;
  const when = at === "" ? "" : ` at ${at}`;
  if (unit.outcome !== "unchanged") return `written${when} by ${byWhom(unit)}`;
  const { written } = unit;
  const before = written === undefined ? "" : ` (poolsync wrote it last at ${written.at}, by ${byWhom(written)})`;
  return `found as wanted${when} by ${byWhom(unit)}, without a call${before}`;
}

function writtenSentences(unit: LedgerUnit, { heldUntilConfirmed }: UserFacts): string[] {
  const { attribute, outcome, changedSince, formerAccount, at = "" } = unit;
  if (formerAccount === true) return [`\`${attribute}\` was ${didWhat(unit)}, in the account before this one.`];
  if (outcome === "unresolved") {
    return [
      `\`${attribute}\` may have been written at ${at} by ${byWhom(unit)}: nobody heard what became of the call, and nothing older follows it.`,
    ];
  }
  if (changedSince !== true)
    return [`\`${attribute}\` was ${didWhat(unit)}${changedSince === false ? ", and is there" : ""}.`];
  const why = heldUntilConfirmed.includes(attribute)
    ? "it shows the former one until the person has confirmed the new one, or somebody else has changed it since"
    : "somebody else has changed it since";
  return [
    `\`${attribute}\` was ${didWhat(unit)}.`,
    `The pool holds another \`${attribute}\` than poolsync wrote last: ${why}.`,
  ];
}

function pendingSentences(unit: PendingUnit): string[] {
  const { attribute, would, value, version, namedBy, notBefore, attempts, faults } = unit;
  const sentences = [`\`${attribute}\` waits as ${value}, put by ${byWhom(unit)}${namedText(unit)}, as of ${version}.`];
  if (would === "letter (alias-exists)") {
    sentences.push(`Another user has what \`${attribute}\` is to be, and keeps it.`);
  }
  if (would === "letter (no-longer-theirs)") {
    sentences.push(
      `\`${attribute}\` was put for ${namedBy ?? "another name"}, which this user does not have any more.`,
    );
  }
  if (would === "letter (account-gone)") {
    sentences.push(`\`${attribute}\` was put for an account that had this username before.`);
  }
  if (notBefore !== undefined) {
    const failed = attempts + faults;
    const times = failed === 1 ? "once" : `${failed} times`;
    sentences.push(
      `\`${attribute}\` ${failed === 0 ? "waits, and" : `failed ${times}, and`} is tried again at ${notBefore}.`,
    );
  }
  return sentences;
}

function letterSentences(
  letter: UserFacts["letters"][number],
  listedSub: string | undefined,
  written: LedgerUnit | undefined,
): string[] {
  const { attribute, kind, reason, id, owner, sub, advice, times, first, last } = letter;
  const isOfAnother = sub !== undefined && listedSub !== undefined && sub !== listedSub;
  const when = times === 1 ? `at ${last}` : `${counted(times, "time")}, first at ${first}, last at ${last}`;
  const isOvertaken = written !== undefined && written.version > letter.version;
  return [
    `\`${attribute}\` is a dead letter, ${id} (${kind === reason ? kind : `${kind}: ${reason}`}), buried ${when}, put by ${byWhom(letter)}${namedText(letter)}.`,
    ...(owner === undefined ? [] : [`User ${owner} had it.`]),
    ...(isOfAnother ? [`It is for the account ${sub}, which had this username before.`] : []),
    isOvertaken ? "A newer value came after it: discard the letter." : advice,
  ];
}

/** Nobody gives an event a later time. */
const NEWER = "Something newer was there before.";

/** `too-long`, and what it means. */
export function exceptionText({ attribute, kind, reason, at, line, event, record, ...run }: ExceptionView): string {
  const what = attribute === "" ? "A row" : `\`${attribute}\``;
  if (kind === "discarded") {
    return `${what} was put by ${byWhom(run)}, became a dead letter (${reason}), and was discarded at ${at}: put it again where it is wanted.`;
  }
  const of = event === true ? "an event of " : line === undefined ? "" : `line ${line} of `;
  const where = `${record === undefined ? "" : `record ${record} of `}${of}${byWhom(run)}`;
  const why = kind === reason ? kind : `${kind}: ${reason}`;
  return `${what} was not written (${why}), at ${at}, ${where}. ${event === true && reason === "stale" ? NEWER : adviceOfRow(reason)}`.trimEnd();
}

/** What a stale value was older than. */
function newerText({ kind }: ExceptionView, written: LedgerUnit | undefined): string {
  return kind === "stale" && written !== undefined ? ` What is newer is as of ${written.version}.` : "";
}
