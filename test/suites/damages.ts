/** How documents break, and how a test sees that one was set aside. */
import assert from "node:assert/strict";
import type { DamagedDocument, DocumentKind } from "../../src/store/damaged.ts";
import { ordinalText, versionText } from "../../src/core/version.ts";
import type { Opened, Suite } from "./open-store.ts";

export interface Breakable extends Opened {
  /**
   * Changes the text of a document where it lies. `undefined` where the store cannot hold such a text: then it is as it
   * was.
   */
  damage(kind: DocumentKind, place: string, change: (text: string) => string): Promise<"broken" | undefined>;
  /** What lies aside under an id. */
  shelved(id: string): Promise<string | undefined>;
}

const VERSION = versionText(ordinalText({ timeMs: 1, sequence: 0 }), 1);

/** A change to a document that is an object. */
export const within = (change: (document: Record<string, unknown>) => object) => (text: string) => {
  return JSON.stringify(change(JSON.parse(text) as Record<string, unknown>));
};

export const ANYWHERE: Readonly<Record<string, (text: string) => string>> = {
  "cut off": (text) => text.slice(0, -1),
  "a number": () => "5",
  "a list": () => "[1]",
  nothing: () => "null",
  "another object": () => '{"broken":1}',
};

const IN_UNITS: Readonly<Record<string, (text: string) => string>> = {
  ...ANYWHERE,
  "without its name": within((document) => ({ ...document, username: undefined })),
  "with a number for a name": within((document) => ({ ...document, username: 5 })),
  "with a number beyond all bounds": (text) => text.replace("{", '{"unread":1e999,'),
};

export const IN_MAILBOXES: Readonly<Record<string, (text: string) => string>> = {
  ...IN_UNITS,
  "of units that are none": within((document) => ({ ...document, pending: { name: 5 } })),
  "of a unit without a run": within((document) => ({
    ...document,
    pending: { name: { version: VERSION, digest: "", body: "" } },
  })),
  "of a unit whose version is a word": (text) => text.replaceAll(/"version":"[^"]*"/g, '"version":"later"'),
  "whose lease is a word": within((document) => ({
    ...document,
    claim: { token: "a", leaseUntil: "later", units: {} },
  })),
  "of another pool": within((document) => ({ ...document, pool: "somewhere-else" })),
  "of a pool that has no name": within((document) => ({ ...document, pool: 'a "pool"' })),
};

export const MET_EVERYWHERE = new Set(["cut off", "of units that are none", "of another pool"]);

export const IN_LETTERS: Readonly<Record<string, (text: string) => string>> = {
  ...IN_UNITS,
  "whose value is a number": within((document) => ({ ...document, body: 1 })),
  "whose version is a word": within((document) => ({ ...document, version: "later" })),
  "that superseded nothing": within((document) => ({ ...document, replaced: [5] })),
  "with another id": within((document) => ({ ...document, id: "other" })),
  "of a kind that is no word": within((document) => ({ ...document, kind: "a:b" })),
  "buried beyond all times": within((document) => ({ ...document, buriedAt: 9e15 })),
};

export const IN_LEDGERS: Readonly<Record<string, (text: string) => string>> = {
  ...ANYWHERE,
  "whose entry has no digest": () => JSON.stringify({ name: { version: VERSION } }),
  "whose time is a word": () => JSON.stringify({ name: { version: VERSION, digest: "", at: "now" } }),
  "whose version is cut": () => JSON.stringify({ name: { version: VERSION.slice(1), digest: "" } }),
};

export const IN_RUNS: Readonly<Record<string, (text: string) => string>> = {
  ...ANYWHERE,
  "without its pool": within((document) => ({ ...document, pool: undefined })),
  "in no state that there is": within((document) => ({ ...document, state: 7 })),
};

/** `breakable` is the store of the suite, once it is open. */
export function damageOf(suite: Suite, breakable: () => Breakable | undefined) {
  const damage = async (kind: DocumentKind, place: string, change: (text: string) => string): Promise<boolean> => {
    const opened = breakable();
    assert.ok(opened);
    return (await opened.damage(kind, place, change)) === "broken";
  };
  const aside = async (place: string): Promise<readonly DamagedDocument[]> =>
    (await suite.store.damaged.list()).filter((one) => one.place === place);
  /** What lay there is aside, with its whole text, and says nothing of it. */
  const isAside = async (kind: DocumentKind, place: string): Promise<DamagedDocument> => {
    const [one, another] = await aside(place);
    assert.ok(one, `${kind} ${place} lies aside`);
    assert.equal(another, undefined, "once");
    assert.equal(one.kind, kind);
    assert.ok(one.since > 0);
    assert.ok(((await breakable()?.shelved(one.id)) ?? "").length > 0, "its text is kept");
    return one;
  };
  const counted = async () => {
    await suite.store.damaged.reckon();
    assert.equal(await suite.store.damaged.reckon(), 0, "nothing is left to be counted");
  };
  return { damage, aside, isAside, counted };
}
