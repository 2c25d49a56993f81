/** One user's path, as text for people. */
import type { Explanation } from "../app/users/explanation.ts";
import { textOf, type Sentence } from "../core/sentence.ts";
import { directRunId } from "../store/runs.ts";
import { indent, table } from "./table.ts";

/** Which question led to the user, and whom the same name led to before. */
function foundText({ found: { by, at, before }, listed, asked: isAsked }: Explanation): string {
  const name = by === "username" ? "the username" : by;
  const isFound = isAsked && listed !== null;
  const asked = isFound ? `Found by ${name}, asked ${seconds(at)}.` : `Taken for a username, ${seconds(at)}.`;
  if (before === undefined) return asked;
  return `${asked} ${before.at === undefined ? "Before" : `At ${seconds(before.at)}`} it was ${before.username}'s.`;
}

/** `say`: a sentence with its next steps as one would type them. */
export function explanationText(
  explanation: Explanation,
  width: number,
  say: (said: Sentence | string) => string = textOf,
): string {
  const { pool, user, username, because } = explanation;
  const people = pool.signIn.length === 0 ? "the username" : `the username, ${pool.signIn.join(", ")}`;
  return [
    indent("", `${username} in ${pool.id} (${pool.region}), known as ${user}`, width),
    indent("", foundText(explanation), width),
    indent("", `People sign in with ${people}; case ${pool.ignoresCase ? "does not count" : "counts"}.`, width),
    listedText(explanation, width),
    pendingText(explanation, width),
    ledgerText(explanation, width),
    lettersText(explanation.letters, width),
    aliasesText(explanation.aliases, width),
    nextText(explanation, width),
    "\n",
    ...because.map((said) => indent("", say(said), width)),
  ].join("");
}

/** A titled part; `none` is what it says where it is empty. */
function part(title: string, body: string, none: string): string {
  return `\n${title}\n${body === "" ? `  ${none}\n` : body}`;
}

function listedText({ asked, listed }: Explanation, width: number): string {
  const columns = [
    { title: "ATTRIBUTE", shrinks: true },
    { title: "VALUE", shrinks: true },
  ];
  return part(
    "The pool has",
    table(columns, Object.entries(listed?.attributes ?? {}), width),
    asked ? "The user is not listed." : "It could not be asked.",
  );
}

function pendingText({ pool, pending }: Explanation, width: number): string {
  const columns = [
    { title: "ATTRIBUTE", shrinks: true },
    { title: "VALUE", shrinks: true },
    { title: "VERSION" },
    { title: "RUN", shrinks: true },
    { title: "WOULD", shrinks: true },
  ];
  const rows = pending.map(({ attribute, value, version, run, would }) => {
    // The direct run of this very pool: its id says nothing more.
    return [attribute, value, seconds(version), run === directRunId(pool.id) ? "direct" : run, would];
  });
  return part("Waiting", table(columns, rows, width), "Nothing.");
}

function ledgerText({ pool, ledger }: Explanation, width: number): string {
  const isSure = ledger.every((unit) => noteOf(unit) === "");
  const columns = [
    { title: "ATTRIBUTE", shrinks: true },
    { title: "VERSION" },
    { title: "SETTLED", spare: true },
    { title: "RUN", spare: true },
    ...(isSure ? [] : [{ title: "NOTE" }]),
  ];
  const rows = ledger.map((unit) => [
    unit.attribute,
    seconds(unit.version),
    unit.at === undefined ? "" : seconds(unit.at),
    unit.run === directRunId(pool.id) ? "direct" : (unit.run ?? ""),
    noteOf(unit),
  ]);
  return part("Written or found last", table(columns, rows, width), "Nothing.");
}

function noteOf({ known, changedSince, formerAccount }: Explanation["ledger"][number]): string {
  if (formerAccount === true) return "of the account before";
  if (!known) return "may have been written, or was found there";
  return changedSince === true ? "the pool holds another" : "";
}

function lettersText(letters: Explanation["letters"], width: number): string {
  const columns = [
    { title: "LETTER" },
    { title: "ATTRIBUTE", shrinks: true },
    { title: "KIND" },
    { title: "REASON", shrinks: true },
    ...(letters.some(({ times }) => times > 1) ? [{ title: "TIMES", align: "right" as const }] : []),
  ];
  const rows = letters.map(({ id, attribute, kind, reason, times }) => [id, attribute, kind, reason, String(times)]);
  return part("Dead letters", table(columns, rows, width), "None.");
}

function aliasesText(aliases: Explanation["aliases"], width: number): string {
  if (aliases.length === 0) return "";
  const columns = [{ title: "ATTRIBUTE" }, { title: "VALUE", shrinks: true }, { title: "OWNER", shrinks: true }];
  const rows = aliases.map(({ attribute, value, owners }) => [attribute, value, owners.join(", ") || "nobody"]);
  return part("Who has what is wanted", table(columns, rows, width), "");
}

function nextText({ pending, next }: Explanation, width: number): string {
  if (pending.length === 0) return "";
  const calls = next.map((call) => indent("  ", callText(call), width)).join("");
  return part("The next delivery would send", calls, "Nothing.");
}

function callText({ operation, attributes, metadata = {} }: Explanation["next"][number]): string {
  const pairs = (texts: Readonly<Record<string, string>>): string =>
    Object.entries(texts)
      .map(([name, text]) => `${name}=${text === "" ? "(deleted)" : text}`)
      .join(", ");
  const beside = Object.keys(metadata).length === 0 ? "" : `, with metadata ${pairs(metadata)}`;
  return `${operation}: ${pairs(attributes)}${beside}`;
}

function seconds(version: string): string {
  return version.replace(/\.\d+Z$/, "Z");
}
