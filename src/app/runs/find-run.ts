import { nextStep, sentence } from "../../core/sentence.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Run } from "../../store/runs.ts";
import { AppError } from "../app-error.ts";
import { whyForgotten } from "./forgotten-runs.ts";

/** Throws an AppError `no-run`. */
export async function findRun({ store }: Pick<Engine, "store">, id: string): Promise<Run> {
  const run = await store.runs.get(id);
  if (run !== undefined) return run;
  const why = await whyForgotten(store, id);
  throw new AppError("no-run", sentence`There is no run \`${id}\`: see ${nextStep("runs", "list")}.${why}`);
}
