/**
 * Dead letters in BullMQ: one queue per kind, in which a job stands for each letter and carries its id alone, so that
 * the queues can be listed and watched with any tool. The letters themselves live in the store.
 */
import { LETTER_KINDS } from "../core/failure.ts";
import type { Letter } from "../core/letter.ts";
import type { Letters } from "../store/letters.ts";
import type { Queues } from "./bullmq.ts";

/** The name of the dead-letter queue of a kind. */
export function deadLetterQueue(kind: string): string {
  return `dead-${kind}`;
}

function byKind(letters: readonly LetterRef[]): Map<string, string[]> {
  const kinds = new Map<string, string[]>();
  for (const { id, kind } of letters) {
    const ids = kinds.get(kind);
    if (ids) ids.push(id);
    else kinds.set(kind, [id]);
  }
  return kinds;
}

type LetterRef = Pick<Letter, "id" | "kind">;

/**
 * Stands a job for each letter in the queue of its kind. The same letter twice is one job; one that was replayed or
 * discarded since it was written is none.
 */
export async function publishLetters(queues: Queues, port: Letters, letters: readonly LetterRef[]): Promise<void> {
  for (const [kind, ids] of byKind(letters)) {
    await queues
      .queue(deadLetterQueue(kind))
      .addBulk(ids.map((id) => ({ name: "letter", data: {}, opts: { jobId: id } })));
  }
  await retractGone(queues, port, letters);
}

/** Takes away the jobs of letters that no longer exist. Answers how many. */
export async function retractGone(queues: Queues, port: Letters, letters: readonly LetterRef[]): Promise<number> {
  const found = await Promise.all(letters.map(({ id }) => port.get(id)));
  const gone = letters.filter((_, index) => found[index] === undefined);
  await retractLetters(queues, gone);
  return gone.length;
}

/** Takes the jobs of letters away that were replayed or discarded. */
export async function retractLetters(queues: Queues, letters: readonly LetterRef[]): Promise<void> {
  for (const [kind, ids] of byKind(letters)) {
    const queue = queues.queue(deadLetterQueue(kind));
    await Promise.all(ids.map((id) => queue.remove(id)));
  }
}

const PAGE = 500;

/**
 * Stands jobs for letters whose worker died between the settle and the queue, and takes those away whose letter was
 * replayed or discarded in such a moment. Run once when a process starts.
 */
export async function republishLetters(queues: Queues, letters: Letters, pool: string): Promise<void> {
  let page: Letter[] = [];
  for await (const letter of letters.list({ pool })) {
    page.push(letter);
    if (page.length < PAGE) continue;
    await publishLetters(queues, letters, page);
    page = [];
  }
  await publishLetters(queues, letters, page);
  for (const kind of LETTER_KINDS) {
    const queue = queues.queue(deadLetterQueue(kind));
    for (let from = 0; ;) {
      const jobs = await queue.getWaiting(from, from + PAGE - 1);
      const letterRefs = jobs.flatMap(({ id }) => (id === undefined ? [] : [{ id, kind }]));
      // Jobs behind those that were taken away move up.
      from += jobs.length - (await retractGone(queues, letters, letterRefs));
      if (jobs.length < PAGE) break;
    }
  }
}
