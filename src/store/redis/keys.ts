/**
 * Every key of a namespace. All share one hash tag, so that a script may touch them together on a cluster: a cluster
 * is for availability, not for spread. `P` is `{poolsync:<namespace>}:`, and `N` is `P` and the number of the format that
 * the documents have, `2:`.
 *
 * | key               | type   | meaning                                                            | lifetime          |
 * |-------------------|--------|--------------------------------------------------------------------|-------------------|
 * | N mailboxes       | hash   | user -> `Mailbox` of core/mailbox.ts, JSON                         | while it has work |
 * | N ledger          | hash   | user -> `Ledger` of core/mailbox.ts, JSON                          | for ever          |
 * | N due:<pool>      | zset   | user, by when the mailbox wants to be looked at (epoch ms)         | as mailboxes      |
 * | N books           | hash   | `<run>\|<term>`, and `\|<term>` for the total; the terms of        | for ever          |
 * |                   |        | core/books.ts, and `rows-read`, `rows-faulty`                      |                   |
 * | N runs            | hash   | run -> `StoredRun` of documents.ts, JSON                           | `keepRuns`        |
 * | N run-index       | zset   | run, by when it started (epoch ms)                                 | as runs           |
 * | N identities      | hash   | identity -> the unfinished run of it                               | until it ends     |
 * | N forgotten       | zset   | run of an earlier store that this one does not know, by when that  | `keepRuns`        |
 * |                   |        | was found (epoch ms)                                               |                   |
 * | N cursors         | hash   | run -> where its feed stands                                       | as runs           |
 * | N letters         | hash   | letter -> `Letter` of core/mailbox.ts, JSON                        | replay or discard |
 * | N letter-times    | zset   | letter, by when it was buried (epoch ms)                           | as letters        |
 * | N pools           | hash   | pool -> how many letters it has                                    | for ever          |
 * | N arrivals        | string | counter: the arrival that was given last                           | for ever          |
 * | N holds           | hash   | `<pool>\|<scope>` -> `Hold` of store/holds.ts, JSON                | until lifted      |
 * | N left:mailboxes, | hashes | documents of format 1 that are still to be brought to format 2      | the upgrade       |
 * |   left:runs       |        | (upgrade.ts)                                                       |                   |
 * | N gates           | hash   | gate -> `ClosedGate` of store/gates.ts without its name, JSON       | until it is open  |
 * | N kept            | zset   | `<gate>\\0<user>`, of whom the gate keeps something; all score 0   | as mailboxes      |
 * | N exceptions      | hash   | user, or digest of a name -> `Exception`s of store/exceptions.ts   | 30 days           |
 * |                   |        | by unit, JSON                                                      |                   |
 * | N exception-times | zset   | the same, by when the latest was noted (epoch ms)                  | as exceptions     |
 * | N inbox           | hash   | id -> an entry of store/inbox.ts without its body, JSON             | until it is drained, |
 * |                   |        |                                                                    | or discarded      |
 * | N inbox-bodies    | hash   | id -> its body, sealed                                             | as inbox          |
 * | N inbox-line      | zset   | id of an entry that may be taken, by its arrival                   | until it is taken |
 * | N inbox-ahead     | zset   | id of one that waits for its time, by that (epoch ms)              | until it is taken |
 * | N inbox-taken     | zset   | id of one that a drainer has, by when the lease ends (epoch ms)    | the lease         |
 * | N inbox-parked    | zset   | id of one that is parked, by its arrival                           | replay or discard |
 * | N inbox-seen      | zset   | id of every event, by when it arrived (epoch ms)                   | 4 days            |
 * | N inbox-counts    | hash   | `bytes` of what waits or is taken, `parked-bytes`, and             | as inbox          |
 * |                   |        | `parked\|<feed>`: how many of a feed are parked                    |                   |
 * | N accounts:<pool>\|| hash   | name of a value -> the account that has it, as the last whole scan   | the next scan     |
 * |   <attribute>     |        | saw it: see store/account-index.ts; with `\|<scan>` behind it, what  |                   |
 * |                   |        | one has seen that is under way                                     | 2 hours unused    |
 * | N account-scans   | hash   | `<pool>\|<attribute>` -> when that scan began (epoch ms)            | for ever          |
 * | N damaged         | hash   | id -> what was set aside, and where it lay: `DamagedDocument` of   | until it is removed |
 * |                   |        | store/damaged.ts, JSON                                             |                   |
 * | N damaged-texts   | hash   | id -> its whole text; `owed`: the id of the latest whose units are | as damaged        |
 * |                   |        | still in the books                                                 |                   |
 * | N stowed:ledger,  | hashes | what those hold, while new keys are made: see store/rekeying.ts     | the rekeying      |
 * |   stowed:exceptions,|      |                                                                    |                   |
 * |   stowed:links:   |        |                                                                    |                   |
 * |   <pool>          |        |                                                                    |                   |
 * | P saw:<bucket>    | hash   | `PaceState` of core/pace.ts, its lanes as `lane:<ceiling>`         | 1 hour unused     |
 * | N sweep:<pool>    | string | `<end in epoch ms>\|<who sweeps>`: a lease                         | the lease         |
 * | P targets         | hash   | pool -> `Target` of store/store.ts, JSON                           | for ever          |
 * | P memory          | hash   | name -> text that belongs to the namespace; `format`, `identity`,  | for ever          |
 * |                   |        | `epoch` and `since` are the store's: see store/fence.ts; `flood …` |                   |
 * |                   |        | has whom events of a feed changed lately (app/events/flood-gate.ts)|                   |
 * | P links:<pool>    | hash   | digest of an address, number or name -> whose it was, sealed       | until it is written |
 * | P alias:<pool>:   | string | `<end in epoch ms>\|<user>`: who may give themselves what has this | the reservation   |
 * |   <digest>        |        | link digest; `feeds:<feed>`: which process has the feed's lease;    |                   |
 * |                   |        | see store/reservations.ts                                          |                   |
 * | P plans           | zset   | run whose plan waits for an approval, by when it expires (epoch ms)| until it ended    |
 * | P plan:<run>      | list   | the plan in chunks: see plan/stored-plan.ts; of `report <run>` its   | as plans          |
 * |                   |        | report (app/runs/kept-report.ts), which ends with the run           |                   |
 * | P notes           | hash   | name -> text that belongs to the namespace and changes             | for ever          |
 * | P workers         | hash   | id -> `<end in epoch ms>\|<AliveWorker of store/workers.ts, JSON>`  | until it ends     |
 * | P before:<run>  | hash   | user and unit -> what was there before the run, sealed             | 30 days           |
 * | P once:<token>    | string | what a call answered, for when the client sends it again           | 5 minutes         |
 */
import { StoreError } from "../store-error.ts";

export interface Keys {
  readonly mailboxes: string;
  readonly ledger: string;
  readonly books: string;
  readonly runs: string;
  readonly runIndex: string;
  readonly identities: string;
  readonly forgotten: string;
  readonly cursors: string;
  readonly letters: string;
  readonly letterTimes: string;
  readonly pools: string;
  readonly arrivals: string;
  readonly holds: string;
  readonly gates: string;
  readonly exceptions: string;
  readonly exceptionTimes: string;
  readonly kept: string;
  readonly inbox: string;
  readonly inboxBodies: string;
  readonly inboxLine: string;
  readonly inboxAhead: string;
  readonly inboxTaken: string;
  readonly inboxParked: string;
  readonly inboxSeen: string;
  readonly inboxCounts: string;
  readonly accountScans: string;
  readonly damaged: string;
  readonly damagedTexts: string;
  readonly targets: string;
  readonly memory: string;
  readonly plans: string;
  readonly notes: string;
  readonly workers: string;
  /** What is left of format 1 while it is brought to this one. */
  readonly left: { readonly mailboxes: string; readonly runs: string };
  /** What is stowed while new keys are made. */
  readonly stowed: { readonly ledgers: string; readonly exceptions: string; links(pool: string): string };
  /** What keys begin with that hold what ends by itself. */
  readonly passing: { readonly [what in "answers" | "aliases" | "plans" | "befores" | "accounts"]: string };
  /** What format 1 called a key that has another name since. */
  formerly(key: string): string;
  plan(run: string): string;
  accounts(index: string): string;
  due(pool: string): string;
  pace(bucket: string): string;
  sweep(pool: string): string;
  links(pool: string): string;
  beforeImages(run: string): string;
  reservation(pool: string, alias: string): string;
  once(token: string): string;
}

/** Throws a StoreError for a namespace that cannot be part of a key. */
export function createKeys(namespace: string): Keys {
  if (!/^[\w.-]{1,64}$/.test(namespace)) {
    throw new StoreError(
      "misconfigured",
      `Expected the namespace to be 1 to 64 letters, digits, dots, dashes or underscores, got ${JSON.stringify(namespace)}`,
    );
  }
  const prefix = `{poolsync:${namespace}}:`;
  const now = `${prefix}2:`;
  return {
    mailboxes: `${now}mailboxes`,
    ledger: `${now}ledger`,
    books: `${now}books`,
    runs: `${now}runs`,
    runIndex: `${now}run-index`,
    identities: `${now}identities`,
    forgotten: `${now}forgotten`,
    cursors: `${now}cursors`,
    letters: `${now}letters`,
    letterTimes: `${now}letter-times`,
    pools: `${now}pools`,
    arrivals: `${now}arrivals`,
    holds: `${now}holds`,
    gates: `${now}gates`,
    exceptions: `${now}exceptions`,
    exceptionTimes: `${now}exception-times`,
    kept: `${now}kept`,
    inbox: `${now}inbox`,
    inboxBodies: `${now}inbox-bodies`,
    inboxLine: `${now}inbox-line`,
    inboxAhead: `${now}inbox-ahead`,
    inboxTaken: `${now}inbox-taken`,
    inboxParked: `${now}inbox-parked`,
    inboxSeen: `${now}inbox-seen`,
    inboxCounts: `${now}inbox-counts`,
    accountScans: `${now}account-scans`,
    damaged: `${now}damaged`,
    damagedTexts: `${now}damaged-texts`,
    targets: `${prefix}targets`,
    memory: `${prefix}memory`,
    plans: `${prefix}plans`,
    notes: `${prefix}notes`,
    workers: `${prefix}workers`,
    left: { mailboxes: `${now}left:mailboxes`, runs: `${now}left:runs` },
    stowed: {
      ledgers: `${now}stowed:ledger`,
      exceptions: `${now}stowed:exceptions`,
      links: (pool) => `${now}stowed:links:${pool}`,
    },
    passing: {
      answers: `${prefix}once:`,
      aliases: `${prefix}alias:`,
      plans: `${prefix}plan:`,
      befores: `${prefix}before:`,
      accounts: `${now}account`,
    },
    formerly: (key) => prefix + key.slice(now.length).replace(/^left:/, ""),
    plan: (run) => `${prefix}plan:${run}`,
    accounts: (index) => `${now}accounts:${index}`,
    due: (pool) => `${now}due:${pool}`,
    pace: (bucket) => `${prefix}saw:${bucket}`,
    sweep: (pool) => `${now}sweep:${pool}`,
    links: (pool) => `${prefix}links:${pool}`,
    beforeImages: (run) => `${prefix}before:${run}`,
    reservation: (pool, alias) => `${prefix}alias:${pool}:${alias}`,
    once: (token) => `${prefix}once:${token}`,
  };
}
