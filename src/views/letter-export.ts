import type { LeftOut } from "../app/letters/export-letters.ts";
import { adviceOf } from "../core/advice.ts";
import { count, counted } from "../core/amounts.ts";

/** A sentence for everything that the records of an export do not say. */
export function leftOutSentences(left: Readonly<LeftOut>): readonly string[] {
  const sentences: string[] = [];
  if (left.cleared > 0) {
    sentences.push(
      `${count(left.cleared)} of them clear a value: a blank is read back as nothing, unless a feed of poolsync.yaml says \`onBlank: clear\`.`,
    );
  }
  if (left.flags > 0) {
    sentences.push(`${count(left.flags)} letters that only set a verified flag are left out: replay or discard them.`);
  }
  if (left.own > 0) {
    sentences.push(
      `${counted(left.own, "letter of a user's own change is", "letters of users' own changes are")} left out: make such changes again with update-user-attributes and a new token.`,
    );
  }
  if (left.passedOn > 0) {
    sentences.push(
      `${counted(left.passedOn, "letter is", "letters are")} left out whose account is gone, or whose person was named by what is not theirs any more: make such changes anew, by the username of whoever is meant.`,
    );
  }
  if (left.altered > 0) {
    const were = counted(left.altered, "letter is left out that was", "letters are left out that were");
    sentences.push(`${were} altered in the store. ${adviceOf("altered")}`);
  }
  if (left.metadata > 0) {
    sentences.push(
      `${count(left.metadata)} of them were sent with client metadata, which a file does not carry: replay keeps it.`,
    );
  }
  return sentences;
}
