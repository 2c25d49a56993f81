/** What is left of the documents that somebody broke, when everything was delivered. */
import { statusOf } from "../../src/app/status.ts";
import type { Engine } from "../../src/queues/engine.ts";
import type { Store } from "../../src/store/store.ts";
import type { BrokenDocument } from "./breaking.ts";
import type { BrokenFacts } from "./broken.ts";
import type { RawDocuments } from "./raw-documents.ts";
import { POOL } from "./service.ts";

/** Somebody looks at each document that nobody has met yet: it is set aside then. */
async function meetAll(store: Store, broken: readonly BrokenDocument[]): Promise<void> {
  const { mailboxes, letters, runs, gates, exceptions } = store;
  for (const { kind, place } of broken) {
    switch (kind) {
      case "mailbox":
        // Nothing is to be delivered of one that is sound.
        await mailboxes.claim(place, "looking", 1);
        break;
      case "ledger":
        await mailboxes.read(place);
        break;
      case "letter":
        await letters.get(place);
        break;
      case "run":
        await runs.get(place);
        break;
      case "gate":
        await gates.list();
        break;
      case "exceptions":
        await exceptions.about(place);
        break;
      case "link":
        await store.link(POOL, place.split("|").at(-1) ?? "");
    }
  }
}

/** When everything was delivered: they are met, looked at and removed. `counted`: what `status` says. */
export async function lookAtBroken(
  engine: Engine,
  documents: RawDocuments,
  broken: readonly BrokenDocument[],
  emptiedAt: number,
): Promise<BrokenFacts> {
  const { store } = engine;
  const { damaged, runs } = store;
  const since = broken.filter(({ at }) => at > emptiedAt);
  await meetAll(store, since);
  await damaged.reckon();
  const shelf = await damaged.list();
  const inPlace: BrokenDocument[] = [];
  for (const one of since) {
    const there = (await documents.all(one.kind)).find(({ place }) => place === one.place);
    if (there?.text === one.text) inPlace.push(one);
  }
  const counted = (
    await statusOf(engine, { ceilingsOf: () => ({ ratePerSecond: 1, listsPerSecond: 1 }), verify: false })
  ).damaged;
  const { damaged: damagedUnits } = await runs.books();
  const removed = await damaged.remove(shelf.map(({ id }) => id));
  const left = (await damaged.list()).length;
  return { broken, shelf, inPlace, counted, damagedUnits, removed, left, emptiedAt };
}
