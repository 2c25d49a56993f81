/** 7: after the drain the store holds its records, letters and caches, and nothing that should have passed. */
import type { KeysLeft } from "./keys-left.ts";
import { verdict, type Standing, type Verdict } from "./verdict.ts";
import type { WakeUpsLeft } from "./wake-ups-left.ts";

const TITLE = "no claim, key or job leaks";

/** On Redis. `ends`: exit codes, or signals, of the processes that were asked to end. */
export function judgeKeys(
  { known, strange, woken, growing }: KeysLeft,
  standing: Pick<Standing, "states" | "letters">,
  wakeUps: WakeUpsLeft,
  ends: readonly (number | string)[],
): Verdict {
  const wrong = [...strange.map((key) => `${key} is none of the keys that are known`), ...growing, ...wakeUps.wrong];
  const { remembering, held } = mailboxesLeft(standing);
  wrong.push(...held);
  // A key is deduplicated by the beginning of the user's.
  const orphaned = new Set([...woken].filter((key) => ![...wakeUps.sleeping].some((user) => user.startsWith(key))));
  const count = (kind: string): number => known[kind] ?? 0;
  if (count("bull wake-up lock") > 0) wrong.push(`${count("bull wake-up lock")} locks are left`);
  if (count("bull wake-up job") !== wakeUps.jobs)
    wrong.push(`${count("bull wake-up job")} jobs of wake-ups are left, and ${wakeUps.jobs} sleep`);
  if (orphaned.size > 0)
    wrong.push(`${orphaned.size} users without a wake-up keep its key: ${[...orphaned].join(", ")}`);
  wrong.push(...letterJobsLeft(count("bull letter job"), standing));
  if (count("bull replay job") > 0) wrong.push(`${count("bull replay job")} replay orders are left`);
  const failed = ends.filter((end) => end !== 0);
  if (failed.length > 0) wrong.push(`processes that were asked to end ended with ${failed.join(", ")}`);
  return verdict(7, TITLE, { remembering, ...known }, wrong);
}

/** In the embedded database. */
export function judgeRowsLeft(
  standing: Pick<Standing, "states" | "letters">,
  wakeUps: WakeUpsLeft,
  letterJobs: number,
): Verdict {
  const { remembering, held } = mailboxesLeft(standing);
  const wrong = [...held, ...wakeUps.wrong, ...letterJobsLeft(letterJobs, standing)];
  return verdict(7, TITLE, { remembering, wakeUps: wakeUps.jobs, letterJobs }, wrong);
}

/** A claim that died is remembered for 15 minutes, and nothing else of a mailbox is left. */
function mailboxesLeft({ states }: Pick<Standing, "states">): { remembering: number; held: readonly string[] } {
  const held: string[] = [];
  let remembering = 0;
  for (const [username, { mailbox }] of states) {
    if (!mailbox) continue;
    remembering += 1;
    if (mailbox.claim) held.push(`${username} is still claimed`);
    if (Object.keys(mailbox.pending).length > 0) held.push(`${username} has something pending`);
  }
  return { remembering, held };
}

function letterJobsLeft(jobs: number, { letters }: Pick<Standing, "letters">): readonly string[] {
  return jobs === letters.length ? [] : [`${jobs} letter jobs for ${letters.length} letters`];
}
