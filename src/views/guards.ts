import { guardSentence } from "../core/guards.ts";
import type { Plan } from "../plan/plan.ts";

/** What is said of plans that broke guards, in one sentence a guard. `approval`: what goes on with one, by its id. */
export function guardedMessage(
  plans: readonly Plan[],
  approval: (id: string) => string = (id) => `add --approve ${id}`,
): string {
  const sentences = plans.flatMap(({ id, feed, broken }) =>
    broken.length === 0
      ? []
      : [`${broken.map(guardSentence).join(" ")} Nothing of ${feed} was written; if this is right, ${approval(id)}.`],
  );
  return sentences.join(" ");
}
