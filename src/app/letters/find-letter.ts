import type { Letter } from "../../core/letter.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import type { Engine } from "../../queues/engine.ts";
import { AppError } from "../app-error.ts";

/** Throws an AppError `no-letter`. */
export async function findLetter({ store }: Engine, id: string): Promise<Letter> {
  const letter = await store.letters.get(id);
  if (letter !== undefined) return letter;
  throw new AppError(
    "no-letter",
    sentence`There is no dead letter \`${id}\`: it was replayed or discarded, or the id is mistyped. See ${nextStep("dead", "list", "--letters")}.`,
  );
}
