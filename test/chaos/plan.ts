/**
 * What goes wrong in a chaos run, and when: a timeline from a seed, and from nothing else. Faults are mixed freely and
 * may lie over one another.
 */
import { flagOf } from "../../src/core/unit.ts";
import { randomFrom, type Random } from "../support/random.ts";
import { ASKED_ATTRIBUTES } from "./asks.ts";
import { drawGateActs, type GateAct } from "./gate-plan.ts";

export type ChaosEngine = "redis" | "embedded";

/**
 * How the run's own Redis stands: alone with one of AOF's two settings, or three Sentinels over a master and two
 * replicas. `replaced`: alone with AOF `always`, and emptied under the processes that use it, once or a few times.
 */
export const TOPOLOGIES = ["aof-everysec", "aof-always", "sentinel", "replaced"] as const;
export type Topology = (typeof TOPOLOGIES)[number];

/** Whom a signal meets. `index` is taken modulo how many of them there are. */
export interface Victim {
  readonly of: "worker" | "producer" | "replayer" | "feed" | "ingest" | "emulator" | "redis" | "replica" | "sentinel";
  readonly index: number;
}

export type Fault =
  | { readonly kind: "kill"; readonly victim: Victim; readonly backInMs: number }
  /** SIGSTOP, and SIGCONT after this long. */
  | { readonly kind: "suspend"; readonly victim: Victim; readonly forMs: number }
  /** What the emulator answers to the share of calls that it befalls. */
  | { readonly kind: "service"; readonly what: ServiceFault; readonly share: number; readonly forMs: number }
  /** Connections through a proxy are cut (some of them), slowed or held up. */
  | { readonly kind: "cut"; readonly link: Link; readonly share: number }
  | { readonly kind: "slow"; readonly link: Link; readonly byMs: number; readonly forMs: number }
  | { readonly kind: "hold-up"; readonly link: Link; readonly forMs: number }
  /** SIGKILL of Redis. `losesMs` of its last writes are taken out of the AOF, as a power cut would. */
  | { readonly kind: "redis-killed"; readonly losesMs: number; readonly backInMs: number }
  | { readonly kind: "redis-full"; readonly forMs: number }
  /** Redis is ended, all that it kept is thrown away, and it is started anew in the same place. */
  | { readonly kind: "redis-emptied"; readonly backInMs: number }
  /** The master is killed, or suspended until a replica has taken over, and comes back as a replica. */
  | { readonly kind: "failover"; readonly by: "SIGKILL" | "SIGSTOP" }
  | { readonly kind: "replay" }
  /** The same scheduled sync is started twice. */
  | { readonly kind: "twin-feed" };

/** Ends a fault that lasts. */
export type Undo = () => Promise<void> | void;

/** All connections to one of them, whoever has made them: clients, and under Sentinel replicas and Sentinels as well. */
export interface Link {
  readonly to: "redis" | "emulator" | "sentinel";
  /** Taken modulo how many of them there are. */
  readonly index: number;
}

export const SERVICE_FAULTS = [
  "throttled",
  "reset",
  "reset-after-write",
  "hang",
  "internal-error",
  "http-500",
  "late-success",
  "lambda-refuses",
  "credentials-expired",
  "pool-gone",
] as const;
export type ServiceFault = (typeof SERVICE_FAULTS)[number];

export interface PlannedFault {
  readonly atMs: number;
  readonly fault: Fault;
}

/** Attributes of people whom files and applications change. */
export const FED_ATTRIBUTES = ["given_name", "family_name", "email", "custom:department", "nickname"] as const;

/** What somebody else does in the pool, past poolsync. */
export interface OthersWrite {
  readonly atMs: number;
  /** Somebody whom single requests ask for, or whom files and applications change. */
  readonly whom: "asked" | "fed";
  /** Where among these the person stands: from 0 up to, not including, 1. */
  readonly place: number;
  readonly attribute: string;
  /** Another value, none, or for e-mail and phone the flag alone. */
  readonly what: "value" | "clear" | "flag";
  /** What becomes of the flag of an e-mail address or phone number. */
  readonly verified: boolean;
}

/**
 * What somebody else does to those who are named by addresses and numbers, always as two calls or more:
 * - `pass`: one gets another address, and the other gets the old one;
 * - `take`: the other gets the address while the one still has it, and the one gets the other's;
 * - `anew`: the account is deleted, and made again with the same names;
 * - `elsewhere`: the same, under another username;
 * - `namesake`: the account is deleted, another is made under its username, and its address goes to the other one.
 */
export const HANDOVERS = ["pass", "take", "anew", "elsewhere", "namesake"] as const;

export interface Handover {
  readonly atMs: number;
  readonly what: (typeof HANDOVERS)[number];
  /** Where the one and the other stand among them: from 0 up to, not including, 1. */
  readonly place: number;
  readonly other: number;
  /** What is passed on. */
  readonly contact: "email" | "phone_number";
}

export interface Plan {
  readonly seed: number;
  readonly engine: ChaosEngine;
  readonly topology?: Topology;
  /** How long faults go on; what was begun before is ended after it. */
  readonly forMs: number;
  readonly faults: readonly PlannedFault[];
  readonly others: readonly OthersWrite[];
  readonly handovers: readonly Handover[];
  readonly gateActs: readonly GateAct[];
}

export interface PlanOptions {
  readonly seed: number;
  readonly engine: ChaosEngine;
  readonly forMs: number;
  /** How long a claim lives, in ms: suspensions of workers are longer. */
  readonly leaseMs: number;
  readonly topology?: Topology;
  /** The longest time between the beginnings of two faults. */
  readonly gapMs?: number;
}

const CALM_START_MS = 4_000;
/** A process of the embedded engine needs a few seconds to come up, and should get something done. */
const GAPS_MS = { redis: 5_000, embedded: 8_000 } as const;
const LINKS = ["emulator", "redis"] as const;
const LINKS_UNDER_SENTINEL = ["emulator", "redis", "redis", "sentinel"] as const;
const GUARDS = ["replica", "sentinel"] as const;
const TO_EMULATOR: Link = { to: "emulator", index: 0 };
/** Of a seed that is told none. */
const BY_SEED = ["aof-everysec", "aof-always", "sentinel"] as const;
/** What is left of a run is to show what becomes of an emptied Redis. */
const EMPTIED_BY = 0.8;

export function makePlan({ seed, engine, forMs, leaseMs, topology, gapMs = GAPS_MS[engine] }: PlanOptions): Plan {
  const random = randomFrom(seed);
  const stands = topology ?? BY_SEED[seed % BY_SEED.length] ?? "aof-everysec";
  const faults: PlannedFault[] = [];
  for (let atMs = CALM_START_MS; atMs < forMs;) {
    faults.push({ atMs, fault: engine === "redis" ? draw(random, stands, leaseMs) : drawEmbedded(random) });
    atMs += Math.round(500 + random.next() * (gapMs - 500));
  }
  if (engine === "redis") faults.push(...drawIngestKills(randomFrom(seed * 47 + 12), forMs));
  if (engine === "redis" && stands === "replaced") faults.push(...drawEmptyings(randomFrom(seed * 41 + 6), forMs));
  return {
    seed,
    engine,
    forMs,
    faults: faults.toSorted((a, b) => a.atMs - b.atMs),
    others: drawOthers(randomFrom(seed * 13 + 5), forMs),
    handovers: drawHandovers(randomFrom(seed * 19 + 2), forMs),
    gateActs: drawGateActs(randomFrom(seed * 23 + 9), forMs),
    ...(engine === "redis" ? { topology: stands } : {}),
  };
}

/** About the middle of a short run, and every one to three minutes of a long one. */
function drawEmptyings(random: Random, forMs: number): PlannedFault[] {
  const emptyings: PlannedFault[] = [];
  const between = (least: number, most: number): number => Math.round(least + random.next() * (most - least));
  for (
    let atMs = Math.min(between(0.4 * forMs, 0.5 * forMs), 60_000);
    atMs < forMs * EMPTIED_BY;
    atMs += between(60_000, 180_000)
  )
    emptyings.push({ atMs, fault: { kind: "redis-emptied", backInMs: between(0, 2_000) } });
  return emptyings;
}

/** Besides, one in ten seconds: between any two steps of whoever takes events. */
function drawIngestKills(random: Random, forMs: number): PlannedFault[] {
  const kills: PlannedFault[] = [];
  const between = (least: number, most: number): number => Math.round(least + random.next() * (most - least));
  for (let atMs = CALM_START_MS + between(0, 4_000); atMs < forMs; atMs += between(5_000, 15_000)) {
    const victim: Victim = { of: "ingest", index: random.below(1000) };
    kills.push({ atMs, fault: { kind: "kill", victim, backInMs: between(0, 1_500) } });
  }
  return kills;
}

/** From the beginning on, four a second. */
function drawOthers(random: Random, forMs: number): OthersWrite[] {
  const others: OthersWrite[] = [];
  for (let atMs = 0; atMs < forMs; atMs += Math.round(random.next() * 500)) {
    const whom = random.chance(0.6) ? "asked" : "fed";
    const place = random.next();
    const attribute = random.pick(whom === "asked" ? ASKED_ATTRIBUTES : FED_ATTRIBUTES);
    const what = random.chance(0.1) ? "clear" : flagOf(attribute) && random.chance(0.4) ? "flag" : "value";
    others.push({ atMs, whom, place, attribute, what, verified: random.chance(0.3) });
  }
  return others;
}

/** One in three seconds. Some of them are handed over again and again, and others once in minutes. */
function drawHandovers(random: Random, forMs: number): Handover[] {
  const handovers: Handover[] = [];
  for (let atMs = 3_000; atMs < forMs; atMs += Math.round(1_000 + random.next() * 4_000)) {
    const [place, other] = [random.next() ** 2, random.next()];
    handovers.push({
      atMs,
      what: random.pick(HANDOVERS),
      place,
      other,
      contact: random.pick(["email", "phone_number"]),
    });
  }
  return handovers;
}

function draw(random: Random, topology: Topology, leaseMs: number): Fault {
  const index = random.below(1000);
  const between = (least: number, most: number): number => Math.round(least + random.next() * (most - least));
  const longerThanALease = (): number => between(leaseMs + 500, leaseMs + 4_000);
  const guarded = topology === "sentinel";
  const link = (): Link => ({ to: random.pick(guarded ? LINKS_UNDER_SENTINEL : LINKS), index });
  const drawn = random.next();
  if (drawn < 0.2) {
    const anybody = [
      "worker",
      "worker",
      "worker",
      "producer",
      "feed",
      "feed",
      "ingest",
      "replayer",
      "emulator",
    ] as const;
    const of = random.pick(guarded ? [...anybody, ...GUARDS] : anybody);
    return { kind: "kill", victim: { of, index }, backInMs: between(0, 3_000) };
  }
  if (drawn < 0.36) {
    const anybody = ["worker", "worker", "worker", "producer", "feed", "ingest", "replayer", "emulator"] as const;
    const of = random.pick(guarded ? [...anybody, ...GUARDS] : anybody);
    // A service that stands still for longer than a lease would apply calls which nobody can know of any more.
    const short = of === "emulator" || of === "sentinel" || of === "replica";
    const forMs = short ? between(1_000, leaseMs / 2) : longerThanALease();
    return { kind: "suspend", victim: { of, index }, forMs };
  }
  if (drawn < 0.6) return drawService(random);
  if (drawn < 0.68) return { kind: "replay" };
  if (drawn < 0.72) return { kind: "twin-feed" };
  if (drawn < 0.84) {
    switch (random.below(3)) {
      case 0:
        return { kind: "cut", link: link(), share: random.pick([0.3, 1]) };
      case 1:
        return { kind: "slow", link: link(), byMs: between(20, 700), forMs: between(1_000, 5_000) };
      default: {
        const held = link();
        // Under Sentinel long enough for a failover that nobody planned.
        const forMs = between(500, guarded && held.to === "redis" ? 6_000 : 3_000);
        return { kind: "hold-up", link: held, forMs };
      }
    }
  }
  if (drawn < 0.88) return { kind: "redis-full", forMs: between(1_000, 4_000) };
  if (guarded) return { kind: "failover", by: random.pick(["SIGKILL", "SIGSTOP"] as const) };
  if (random.chance(0.3)) {
    const forMs = random.chance(0.3) ? longerThanALease() : between(500, 4_000);
    return { kind: "suspend", victim: { of: "redis", index: 0 }, forMs };
  }
  const losesMs = topology === "aof-everysec" && random.chance(0.6) ? between(100, 1_000) : 0;
  return { kind: "redis-killed", losesMs, backInMs: between(0, 2_500) };
}

/** One process has the data directory, so there are fewer parties: it is killed again and again. */
function drawEmbedded(random: Random): Fault {
  const between = (least: number, most: number): number => Math.round(least + random.next() * (most - least));
  const index = random.below(1000);
  const drawn = random.next();
  if (drawn < 0.46) return { kind: "kill", victim: { of: "worker", index }, backInMs: between(0, 1_000) };
  if (drawn < 0.5) return { kind: "kill", victim: { of: "emulator", index }, backInMs: between(0, 2_000) };
  if (drawn < 0.58) return { kind: "suspend", victim: { of: "worker", index }, forMs: between(500, 5_000) };
  if (drawn < 0.64) return { kind: "suspend", victim: { of: "emulator", index }, forMs: between(500, 3_000) };
  if (drawn < 0.84) return drawService(random);
  if (drawn < 0.9) return { kind: "replay" };
  if (drawn < 0.95) return { kind: "cut", link: TO_EMULATOR, share: random.pick([0.3, 1]) };
  return { kind: "slow", link: TO_EMULATOR, byMs: between(20, 700), forMs: between(1_000, 4_000) };
}

function drawService(random: Random): Fault {
  const what = random.pick(SERVICE_FAULTS);
  const whole = what === "throttled" || what === "credentials-expired" || what === "pool-gone";
  const share = whole ? 1 : random.pick([0.1, 0.3, 1]);
  return { kind: "service", what, share, forMs: Math.round(1_000 + random.next() * 5_000) };
}
