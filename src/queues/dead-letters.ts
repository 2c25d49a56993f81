/**
 * Dead letters in BullMQ: one queue per kind, in which a job stands for each letter and carries its id alone, so that
 * the queues can be listed and watched with any tool. The letters themselves live in the store.
 */
import type { Letter } from "../core/letter.ts";
import type { Letters } from "../store/letters.ts";
import type { Queues } from "./bullmq.ts";

/** The name of the dead-letter queue of a kind. */
export function deadLetterQueue(kind: string): string {
  return `dead-${kind}`;
}

function byKind(letters: readonly Pick<Letter, "id" | "kind">[]): Map<string, string[]> {
  const kinds = new Map<string, string[]>();
  for (const { id, kind } of letters) {
    const ids = kinds.get(kind);
    if (ids) ids.push(id);
    else kinds.set(kind, [id]);
  }
  return kinds;
}

/** Stands a job for each letter in the queue of its kind. The same letter twice is one job. */
export async function publishLetters(queues: Queues, letters: readonly Pick<Letter, "id" | "kind">[]): Promise<void> {
  for (const [kind, ids] of byKind(letters)) {
    await queues
      .queue(deadLetterQueue(kind))
      .addBulk(ids.map((id) => ({ name: "letter", data: {}, opts: { jobId: id } })));
  }
}

/** Takes the jobs of letters away that were replayed or discarded. */
export async function retractLetters(queues: Queues, letters: readonly Pick<Letter, "id" | "kind">[]): Promise<void> {
  for (const [kind, ids] of byKind(letters)) {
    const queue = queues.queue(deadLetterQueue(kind));
    await Promise.all(ids.map((id) => queue.remove(id)));
  }
}

const PAGE = 500;

/** Stands jobs for letters whose worker died between the settle and the queue. Run once when a process starts. */
export async function republishLetters(queues: Queues, letters: Letters, pool: string): Promise<void> {
  let page: Letter[] = [];
  for await (const letter of letters.list({ pool })) {
    page.push(letter);
    if (page.length < PAGE) continue;
    await publishLetters(queues, page);
    page = [];
  }
  await publishLetters(queues, page);
}
