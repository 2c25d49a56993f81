/** The question before what cannot easily be taken back: asked at a terminal only, so that scripts do not hang. */
import { createInterface } from "node:readline/promises";
import type { PoolProfile } from "../../core/pool-schema.ts";
import { withoutTokens } from "../../core/quoted.ts";
import { flagOf, isContact, type Unit } from "../../core/unit.ts";
import { AppError } from "../../app/app-error.ts";
import type { Io } from "../io.ts";

/** What of a change somebody should be asked about, in words; none where nothing. `profile`: undefined where it cannot be read. */
export function risksOf(
  profile: Pick<PoolProfile, "usernameAttributes" | "aliasAttributes"> | undefined,
  units: readonly Unit[],
): string[] {
  const cleared = units.filter(({ value }) => value.kind === "clear").map(({ name }) => name);
  const signIn = profile && [...profile.usernameAttributes, ...profile.aliasAttributes];
  const changed = units.filter(
    ({ name, value }) => isContact(name) && value.kind === "text" && signIn?.includes(name) !== false,
  );
  return [
    ...(cleared.length > 0 ? [`This deletes ${cleared.join(", ")}.`] : []),
    ...changed.map(
      ({ name }) =>
        `${signIn ? "People" : "If people"} sign in with \`${name}\`${signIn ? ":" : ","} the old one will not do any more (${flagOf(name)} follows the new one).`,
    ),
  ];
}

/** Resolves where the answer is yes, or nobody is there to be asked. Throws an AppError (`declined`) else. */
export async function ask({ stdin, stderr }: Io, risks: readonly string[], signal: AbortSignal): Promise<void> {
  const atTerminal = "isTTY" in stdin && stdin.isTTY === true && stderr.isTTY === true;
  if (risks.length === 0 || !atTerminal) return;
  // A terminal elsewhere, whose process sends whole lines, shows itself what is typed.
  const terminal = createInterface({ input: stdin, output: stderr, terminal: "setRawMode" in stdin });
  // Where what is typed comes from elsewhere, its end answers nothing by itself.
  const ended = new AbortController();
  terminal.once("close", () => ended.abort());
  try {
    const question = `${withoutTokens(risks.join("\n"))}\nGo on? [y/N] `;
    const answer = await terminal.question(question, { signal: AbortSignal.any([signal, ended.signal]) });
    if (/^\s*y(es)?\s*$/i.test(answer)) return;
  } catch (cause) {
    // Ctrl-C, or the end of the input, instead of an answer.
    throw new AppError("interrupted", "Interrupted. Nothing was written.", { cause, category: "interrupted" });
  } finally {
    terminal.close();
  }
  throw new AppError("declined", "Nothing was written. With --force the question is not asked.", {
    category: "guarded",
  });
}
