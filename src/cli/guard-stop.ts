import type { Plan } from "../plan/plan.ts";
import { EXIT } from "../exit-codes.ts";
import { guardedMessage } from "../views/guards.ts";
import { planDocument, planText } from "../views/plan-view.ts";
import { columnsOf, tell, type Io } from "./io.ts";

/** Shows the plans that broke guards, and answers the command's exit code. */
export function stopAtGuards(
  io: Io,
  plans: readonly Plan[],
  { json }: { readonly json?: boolean },
  pool: string,
): number {
  const message = guardedMessage(plans);
  if (json === true) {
    const error = { kind: "guarded", message };
    const documents = plans.map((plan) => planDocument(plan, pool, false));
    io.stdout.write(`${JSON.stringify({ error, plans: documents }, undefined, 2)}\n`);
  } else {
    for (const plan of plans) {
      if (plan.broken.length > 0) io.stdout.write(planText(plan, { pool, noColor: true }, columnsOf(io.stdout)));
    }
    tell(io, message);
  }
  return EXIT.guarded;
}
