/** What a store of format 1 holds once it is of format 2, told from the figures of the fixture alone. */
import assert from "node:assert/strict";
import { imbalance, TERMS } from "../../src/core/books.ts";
import type { Letter } from "../../src/core/letter.ts";
import { mailboxDocument } from "../../src/store/documents.ts";
import type { Store } from "../../src/store/store.ts";
import type { Figures, OldMailbox } from "./format-1-figures.ts";

/** The names that four parts of a mailbox have had in format 1. */
const FORMERLY = {
  suspects: "abandonedCalls",
  kept: "lastSettled",
  doubts: "overwritten",
  unknown: "unresolvedCalls",
} as const;

type Documents = Readonly<Record<string, unknown>>;

/** A document with its parts under the names of today. */
export function withNewNames(document: Documents): Documents {
  const names: Readonly<Record<string, string>> = FORMERLY;
  return Object.fromEntries(Object.entries(document).map(([name, part]) => [names[name] ?? name, part]));
}

export const sourceOf = ({ id, pool }: { readonly id: string; readonly pool: string }): string =>
  id === `direct:${pool}` ? "direct" : "file";

/** The closed gates of runs, by name. */
export function closedGates({
  runs,
}: Figures): ReadonlyMap<string, { readonly state: string; readonly since: number }> {
  return new Map(
    runs.flatMap(({ id, state, startedAt, finishedAt }) => {
      const closed = state === "cancelled" ? state : state === "needs-approval" ? "waiting" : undefined;
      return closed === undefined ? [] : [[`run:${id}`, { state: closed, since: finishedAt ?? startedAt }] as const];
    }),
  );
}

/**
 * Every port answers what the fixture says. `claimsEndAt`: when claims end that have not ended, where their workers are
 * known to be dead.
 */
export async function assertUpgraded(store: Store, figures: Figures, claimsEndAt = Infinity): Promise<void> {
  await assertUsers(store, figures, claimsEndAt);
  await assertRuns(store, figures);
  const letters: Letter[] = [];
  for await (const letter of store.letters.list({})) letters.push(letter);
  assert.deepEqual(letters.toSorted(byId), figures.letters.toSorted(byId));
  assert.deepEqual(
    (await store.holds.list()).map(({ pool, scope, kind, since }) => ({ pool, scope, kind, since })).toSorted(byPool),
    figures.holds.toSorted(byPool),
  );
  assert.deepEqual((await store.targets()).toSorted(byPool), figures.targets.toSorted(byPool));
  assert.deepEqual(
    new Map((await store.gates.list()).map(({ gate, ...closed }) => [gate, closed])),
    closedGates(figures),
  );
  for (const { gate } of await store.gates.list()) assert.equal(await store.gates.kept(gate), 0);
  for (const [name, text] of Object.entries(figures.notes)) assert.equal(await store.getValue(name), text);
  for (const [name, text] of Object.entries(figures.memory)) {
    if (name !== "format") assert.equal(await store.setOnce(name, "another"), text, name);
  }
  await assertPlans(store, figures);
}

async function assertUsers(store: Store, figures: Figures, claimsEndAt: number): Promise<void> {
  const { mailboxes } = store;
  for (const user of new Set([...Object.keys(figures.mailboxes), ...Object.keys(figures.ledgers)])) {
    const { mailbox, ledger } = await mailboxes.read(user);
    const old = figures.mailboxes[user];
    assert.deepEqual(mailbox && mailboxDocument.parse(mailbox), old && upgradedMailbox(old, claimsEndAt));
    assert.deepEqual(ledger, figures.ledgers[user] ?? {});
  }
  const all = Object.values(figures.mailboxes);
  for (const { pool } of figures.targets) {
    assert.equal(await mailboxes.dueCount(pool), all.filter((mailbox) => mailbox.pool === pool).length);
  }
  const busy = new Set([...all, ...figures.letters].map(({ pool }) => pool));
  assert.deepEqual(new Set(await store.pools()), busy);
}

function upgradedMailbox(old: OldMailbox, claimsEndAt: number): Documents {
  const { claim, ...rest } = old;
  if (claim === undefined) return withNewNames(rest);
  return withNewNames({ ...rest, claim: { ...claim, leaseUntil: Math.min(claimsEndAt, claim.leaseUntil) } });
}

async function assertRuns({ runs, mailboxes }: Store, figures: Figures): Promise<void> {
  const expected = figures.runs.map(({ pending: _pending, dead: _dead, books, ...run }) => ({
    ...run,
    source: sourceOf(run),
    rows: { read: books["rows-read"] ?? 0, faulty: books["rows-faulty"] ?? 0 },
  }));
  assert.deepEqual((await runs.list(1000)).toReversed(), expected);
  const recount = await mailboxes.recount();
  for (const { id, pending, dead, books: old } of [
    { id: "", pending: -1, dead: -1, books: figures.books },
    ...figures.runs,
  ]) {
    const books = await runs.books(id);
    for (const term of TERMS) assert.equal(books[term], old[term] ?? 0, `${id} ${term}`);
    assert.equal(imbalance(books), 0, id);
    if (id === "") continue;
    const { pending: found, dead: buried } = recount.get(id) ?? { pending: 0, dead: 0 };
    assert.deepEqual([found, buried, books.pending, books.dead], [pending, dead, pending, dead], id);
  }
  // The same command finds the run that was cut.
  for (const { id, source, pool, feed, identity, asOf, finishedAt } of await runs.list(1000)) {
    if (identity === "" || finishedAt !== undefined) continue;
    const { run, resumed } = await runs.begin({ id: "another", source, pool, feed, identity, asOf });
    assert.deepEqual([run.id, resumed], [id, true]);
  }
}

async function assertPlans({ plans, beforeImages }: Store, figures: Figures): Promise<void> {
  const found = await Promise.all(
    (await plans.list()).map(async ({ run, expiresAt }) => ({
      run,
      expiresAt,
      chunks: await countOf(plans.read(run)),
    })),
  );
  assert.deepEqual(found, figures.plans);
  for (const { id } of figures.runs) {
    assert.equal(await countOf(beforeImages.read(id)), figures.beforeImages[id] ?? 0, id);
  }
}

async function countOf(all: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const one of all) count += one === "" ? 0 : 1;
  return count;
}

const byId = (one: { readonly id: string }, other: { readonly id: string }): number => (one.id < other.id ? -1 : 1);
const byPool = (one: { readonly pool: string }, other: { readonly pool: string }): number =>
  one.pool < other.pool ? -1 : 1;
