import { nextStep, sentence } from "../core/sentence.ts";
import type { Engine } from "../queues/engine.ts";
import { AppError } from "./app-error.ts";

/** Throws documents away that lie aside. Throws an AppError `no-document` for an id that none has, and removes nothing then. */
export async function removeDamaged({ store: { damaged } }: Pick<Engine, "store">, ids: readonly string[]) {
  const there = new Set((await damaged.list()).map(({ id }) => id));
  const unknown = ids.find((id) => !there.has(id));
  if (unknown === undefined) return damaged.remove(ids);
  throw new AppError(
    "no-document",
    sentence`There is no damaged document \`${unknown}\`: it was removed already, or the id is mistyped. Nothing was removed. See ${nextStep("damaged", "list")}.`,
  );
}
