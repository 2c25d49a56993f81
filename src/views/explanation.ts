/** One user's path, as text for people. */
import type { Explanation } from "../app/users/explanation.ts";
import { directRunId } from "../store/runs.ts";
import { indent, table } from "./table.ts";

/** Which question led to the user, and whom the same name led to before. */
function foundText({ by, at, before }: Explanation["found"]): string {
  const asked = `Found by ${by === "username" ? "the username" : by}, asked ${seconds(at)}.`;
  if (before === undefined) return asked;
  return `${asked} ${before.at === undefined ? "Before" : `At ${seconds(before.at)}`} it was ${before.username}'s.`;
}

export function explanationText(explanation: Explanation, width: number): string {
  const { pool, user, username, found, listed, pending, ledger, letters, aliases, next, because } = explanation;
  const part = (title: string, body: string, none: string): string =>
    `\n${title}\n${body === "" ? `  ${none}\n` : body}`;
  const note = ({ known, changedSince, formerAccount }: Explanation["ledger"][number]): string =>
    formerAccount === true
      ? "of the account before"
      : !known
        ? "may have been written, or was found there"
        : changedSince === true
          ? "the pool holds another"
          : "";
  const isSure = ledger.every((unit) => note(unit) === "");
  const people = pool.signIn.length === 0 ? "the username" : `the username, ${pool.signIn.join(", ")}`;
  return [
    indent("", `${username} in ${pool.id} (${pool.region}), known as ${user}`, width),
    indent("", foundText(found), width),
    indent("", `People sign in with ${people}; case ${pool.ignoresCase ? "does not count" : "counts"}.`, width),
    part(
      "The pool has",
      table(
        [
          { title: "ATTRIBUTE", shrinks: true },
          { title: "VALUE", shrinks: true },
        ],
        Object.entries(listed?.attributes ?? {}),
        width,
      ),
      "The user is not listed.",
    ),
    part(
      "Waiting",
      table(
        [
          { title: "ATTRIBUTE", shrinks: true },
          { title: "VALUE", shrinks: true },
          { title: "VERSION" },
          { title: "RUN", shrinks: true },
          { title: "WOULD", shrinks: true },
        ],
        pending.map(({ attribute, value, version, run: of, would }) => {
          // The standing run of this very pool: its name says nothing more.
          return [attribute, value, seconds(version), of === directRunId(pool.id) ? "direct" : of, would];
        }),
        width,
      ),
      "Nothing.",
    ),
    part(
      "Written or found last",
      table(
        [{ title: "ATTRIBUTE", shrinks: true }, { title: "VERSION" }, ...(isSure ? [] : [{ title: "NOTE" }])],
        ledger.map((unit) => [unit.attribute, seconds(unit.version), note(unit)]),
        width,
      ),
      "Nothing.",
    ),
    part(
      "Dead letters",
      table(
        [
          { title: "LETTER" },
          { title: "ATTRIBUTE", shrinks: true },
          { title: "KIND" },
          { title: "REASON", shrinks: true },
        ],
        letters.map(({ id, attribute, kind, reason }) => [id, attribute, kind, reason]),
        width,
      ),
      "None.",
    ),
    ...(aliases.length === 0
      ? []
      : [
          part(
            "Who has what is wanted",
            table(
              [{ title: "ATTRIBUTE" }, { title: "VALUE", shrinks: true }, { title: "OWNER", shrinks: true }],
              aliases.map(({ attribute, value, owners }) => [attribute, value, owners.join(", ") || "nobody"]),
              width,
            ),
            "",
          ),
        ]),
    ...(pending.length === 0
      ? []
      : [
          part(
            "The next delivery would send",
            next.map((call) => indent("  ", callText(call), width)).join(""),
            "Nothing.",
          ),
        ]),
    "\n",
    ...because.map((sentence) => indent("", sentence, width)),
  ].join("");
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
