import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { TERMS } from "../../core/books.ts";
import { GATE_STATES } from "../../core/gate.ts";
import { BELIEVED_MS, CLOCKS_APART_MS, COOLDOWN_MS, ABANDONED_CALL_MS, MOST_REPLACED } from "../../core/mailbox.ts";
import { PACE_RULE } from "../../core/pace.ts";
import { MADE_AT_DIGITS } from "../../core/person.ts";
import { CONTACT_OF, FLAG_OF } from "../../core/unit.ts";
import { COUNT_DIGITS, MAX_LEAD_MS, TIME_DIGITS } from "../../core/version.ts";
import { LAST_TIME_MS, MOST_COUNTED } from "../documents.ts";
import { PROBE_GROWTH } from "../holds.ts";
import type { RedisClient } from "./connection.ts";
import { FOREIGN, FORMAT, FORMER, REPLACED } from "./format.ts";
import { redisFault } from "./redis-error.ts";

const MAILBOX = ["damaged", "counters", "account", "documents", "mailbox", "ledger", "placing", "closing"] as const;

const INBOX = ["damaged", "counters", "inbox"] as const;

/** Each script and what is prepended to it, in lua/: behind the clock, which all have, and the fence, which most have. */
const PRELUDES = {
  command: [],
  exchange: [],
  "set-once": [],
  "raise-epoch": [],
  "replace-text": [],
  "line-up": [],
  era: [],
  "rekey-begin": [],
  "rekey-move": [],
  put: [...MAILBOX, "inbox"],
  "claim-and-settle": [...MAILBOX, "claim", "settle"],
  replay: MAILBOX,
  discard: MAILBOX,
  "sort-out": MAILBOX,
  release: MAILBOX,
  sweep: ["damaged"],
  "begin-run": ["damaged"],
  "rename-run": ["damaged"],
  advance: ["damaged", "counters"],
  "sweep-runs": ["damaged", "counters"],
  "set-aside": MAILBOX,
  "set-aside-plan": ["damaged"],
  "damaged-remove": ["damaged"],
  reckon: ["damaged", "counters"],
  "mend-counters": ["damaged", "counters"],
  "inbox-add": INBOX,
  "inbox-take": INBOX,
  "inbox-move": INBOX,
  "inbox-read": INBOX,
  "inbox-older": INBOX,
  "inbox-trim": INBOX,
  "inbox-counts": INBOX,
  "inbox-line-up": INBOX,
  "inbox-recount": INBOX,
  "inbox-rename": INBOX,
  now: [],
  "keep-before-images": [],
  "accounts-add": [],
  "accounts-finish": [],
  "note-exceptions": ["damaged"],
  "gate-pause": [],
  "gate-resume": ["damaged"],
  "gates-opened": [],
  "hold-place": [],
  "hold-ask": ["damaged"],
  "reservation-take": [],
  "reservation-release": [],
  "reservation-holder": [],
  "worker-renew": [],
  reserve: ["pace"],
  throttled: ["pace"],
  "pace-view": ["pace"],
  "open-namespace": [],
  "upgrade-begin": [],
  "upgrade-documents": [],
  "upgrade-end": [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** What opens a namespace, and brings another format to this one. */
const UNFENCED: ReadonlySet<string> = new Set(["open-namespace", "upgrade-begin", "upgrade-documents", "upgrade-end"]);

type LuaConstant = number | string | Readonly<Record<string, string>>;

/**
 * The rules' own constants, by the file in lua/ that needs them, each a local above that file. So no number of a rule
 * stands in Lua and in TypeScript.
 */
const CONSTANTS: Readonly<Record<string, Readonly<Record<string, LuaConstant>>>> = {
  fence: { FORMAT, FOREIGN, REPLACED },
  "open-namespace": { FORMAT, FORMER, FOREIGN },
  damaged: {
    VERSION_FORM: `^${["%d".repeat(TIME_DIGITS), "%d".repeat(COUNT_DIGITS), "%d".repeat(COUNT_DIGITS)].join("%.")}$`,
    MADE_AT_DIGITS,
    COUNT_DIGITS,
    LAST_TIME_MS,
    GATE_STATES: Object.fromEntries(GATE_STATES.map((state) => [state, state])),
  },
  counters: { MOST_COUNTED, TERMS: Object.fromEntries(TERMS.map((term) => [term, term])) },
  account: { MADE_AT_DIGITS },
  mailbox: {
    ABANDONED_CALL_MS,
    COOLDOWN_MS,
    BELIEVED_MS,
    MAX_LEAD_MS,
    CLOCKS_APART_MS,
    MOST_REPLACED,
    TIME_DIGITS,
    COUNT_DIGITS,
    FLAG_OF,
    CONTACT_OF,
  },
  pace: { ...PACE_RULE, LAST_TIME_MS },
  "hold-ask": { PROBE_GROWTH },
};

export type ScriptName = keyof typeof PRELUDES;

export interface Scripts {
  /**
   * A script is fenced, unless it opens or upgrades: the first of its keys are `memory`, `damaged` and `damaged-texts`,
   * the last two of its arguments are the identity and the epoch, and it rejects with a StoreError `foreign-format` or
   * `store-replaced` where what stands there is another. Answers what the script does. Where that is a list there may be
   * errors in it, each of its own step.
   */
  run(name: ScriptName, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown>;
}

function lua(name: string): string {
  const file = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");
  const constants = Object.entries(CONSTANTS[name] ?? {});
  return [...constants.map(([constant, value]) => `local ${constant} = ${literal(value)}`), file].join("\n");
}

/** A constant in Lua. The texts are names of ours, without a quote or a backslash. */
function literal(value: LuaConstant): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return `'${value}'`;
  return `{ ${Object.entries(value)
    .map(([name, text]) => `${name} = ${literal(text)}`)
    .join(", ")} }`;
}

/**
 * The scripts, ready to run. A server that does not know one (it was restarted, or another node took over) is given
 * its text, once. `clock` is the text of another lua/clock.lua, for tests that set the time.
 */
export function createScripts(redis: RedisClient, clock: string = lua("clock")): Scripts {
  const loaded = new Map<ScriptName, { readonly text: string; readonly sha: string }>();
  const load = (name: ScriptName) => {
    const known = loaded.get(name);
    if (known) return known;
    const fence = UNFENCED.has(name) ? [] : [lua("fence")];
    const text = [clock, ...fence, ...PRELUDES[name].map(lua), lua(name)].join("\n");
    const script = { text, sha: createHash("sha1").update(text).digest("hex") };
    loaded.set(name, script);
    return script;
  };
  return {
    async run(name, keys, args) {
      const { text, sha } = load(name);
      try {
        return withNames(name, await redis.evalsha(sha, keys.length, ...keys, ...args));
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw named(name, error);
      }
      try {
        return withNames(name, await redis.eval(text, keys.length, ...keys, ...args));
      } catch (error) {
        throw named(name, error);
      }
    },
  };
}

function withNames(name: ScriptName, reply: unknown): unknown {
  return Array.isArray(reply) ? reply.map((one: unknown) => (one instanceof Error ? named(name, one) : one)) : reply;
}

function named(name: ScriptName, error: unknown): unknown {
  const fault = redisFault(error);
  if (fault !== error) return fault;
  if (error instanceof Error) error.message = `${error.message} (script ${name})`;
  return fault;
}
