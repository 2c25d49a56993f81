import { z } from "zod";
import type { Random } from "./random.ts";

const ACTION = z.union([
  /** An error by its name: any name that can stand in a header. */
  z.string().regex(/^[\x21-\x7e]{1,200}$/, { error: "Expected a name of 1 to 200 plain characters" }),
  z.discriminatedUnion("kind", [
    /** The connection is cut before the write; with `afterWrite` the write is applied and only its answer is lost. */
    z.strictObject({ kind: z.literal("reset"), afterWrite: z.boolean().optional() }),
    /** Never answered. */
    z.strictObject({ kind: z.literal("hang") }),
    /** A bare answer, as from a balancer in front of the service. */
    z.strictObject({ kind: z.literal("http"), status: z.int().min(200).max(599), body: z.string().optional() }),
    /** The answer is held until the caller gives up; this long afterwards the write is applied all the same. */
    z.strictObject({ kind: z.literal("late-success"), afterMs: z.number().min(0) }),
  ]),
]);

/** When something goes wrong, and what. A condition that is absent holds for every call. */
export const FAULT_RULE = z.strictObject({
  operation: z.string().optional(),
  /** As the request has it, or the username that it stands for. */
  username: z.string().optional(),
  pool: z.string().optional(),
  /** Names that the call writes, all of them. */
  attributes: z.array(z.string()).optional(),
  /** Calls that this befalls before it is over. For ever where it is absent. */
  times: z.int().min(1).optional(),
  /** From 0 to 1, drawn per matching call from the emulator's seed. */
  probability: z.number().min(0).max(1).optional(),
  error: ACTION,
  /** For an error by name: its text and HTTP status instead of the usual ones. */
  message: z.string().optional(),
  status: z.int().min(400).max(599).optional(),
});
export type FaultRule = z.infer<typeof FAULT_RULE>;

interface Fault {
  readonly id: number;
  readonly rule: FaultRule;
  /** Calls that it has befallen so far. */
  readonly fired: number;
}

export interface FaultedCall {
  readonly operation: string;
  readonly pool: string | undefined;
  /** Every name the user goes by in this call. */
  readonly usernames: readonly string[];
  /** Names that this call writes. */
  readonly attributes: readonly string[];
}

/** Scripted faults, tried in the order in which they were added; the first that applies is carried out. */
export interface Faults {
  readonly rules: readonly Fault[];
  add(rule: FaultRule): Fault;
  clear(): void;
}

export interface FaultScript extends Faults {
  /** The rule that befalls this call, counted. */
  pick(call: FaultedCall): FaultRule | undefined;
}

export function createFaults(random: Random): FaultScript {
  let faults: { id: number; rule: FaultRule; fired: number }[] = [];
  let lastId = 0;

  function applies({ rule, fired }: Fault, call: FaultedCall): boolean {
    if (rule.times !== undefined && fired >= rule.times) return false;
    if (rule.operation !== undefined && rule.operation !== call.operation) return false;
    if (rule.pool !== undefined && rule.pool !== call.pool) return false;
    if (rule.username !== undefined && !call.usernames.includes(rule.username)) return false;
    if (rule.attributes?.some((name) => !call.attributes.includes(name))) return false;
    return rule.probability === undefined || random() < rule.probability;
  }

  return {
    get rules() {
      return faults;
    },
    add(rule) {
      lastId += 1;
      const fault = { id: lastId, rule: FAULT_RULE.parse(rule), fired: 0 };
      faults.push(fault);
      return fault;
    },
    clear() {
      faults = [];
    },
    pick(call) {
      const fault = faults.find((candidate) => applies(candidate, call));
      if (fault === undefined) return undefined;
      fault.fired += 1;
      return fault.rule;
    },
  };
}
