import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nameRunsAnew, noteAnew } from "../../src/store/content-names.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { testKeyring } from "../support/keyring.ts";

const CONTENT = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
const [ONE, TWO] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const keyring = testKeyring(ONE.toString("base64url"));
const anew = testKeyring(TWO.toString("base64url"), { earlier: [ONE] });

describe("what the store keeps of the content of feeds", () => {
  test("is named by the keys in the identities of runs, those that wait and those of plan files as well", async () => {
    const { store } = openMemoryStore();
    const identities = { file: CONTENT, waits: `approval ${CONTENT}`, plan: "plan c2lnbmF0dXJl", stream: "" };
    for (const [id, identity] of Object.entries(identities)) {
      await store.runs.begin({ id, source: "file", pool: "p", feed: "f", identity, asOf: 0 });
    }
    for (const by of [keyring, anew, anew]) {
      await nameRunsAnew(store, by);
      const named = by.contentName(CONTENT);
      assert.equal((await store.runs.get("file"))?.identity, named);
      assert.equal((await store.runs.get("waits"))?.identity, `approval ${named}`);
      assert.equal((await store.runs.get("plan"))?.identity, by.contentName("plan c2lnbmF0dXJl"));
      assert.equal((await store.runs.get("stream"))?.identity, "");
    }
  });

  test("is named by them in notes, and what they do not open is forgotten", () => {
    const noted = (content: string): string => JSON.stringify({ content, run: "r" });
    const fetched = keyring.seal(["fetched", "hr staff"], "{}");
    for (const [name, text, to] of [
      ["cancelled pool hr staff", noted(CONTENT), noted(keyring.contentName(CONTENT))],
      ["cancelled pool hr staff", noted(keyring.contentName(CONTENT)), undefined],
      ["cancelled pool hr staff", noted(anew.contentName(CONTENT)), undefined],
      ["cancelled pool hr staff", "{", undefined],
      ["cancelled pool hr staff", '"text"', undefined],
      ["fetched hr staff", '{"etag":"an MD5","of":"digest"}', ""],
      ["fetched hr staff", fetched, undefined],
      ["fetched another", fetched, ""],
      ["fetched hr staff", "", undefined],
      ["sealing", '{"met":1}', undefined],
    ] as const) {
      assert.equal(noteAnew(keyring, { name, text }), to, `${name} ${text}`);
    }
    const rekeyed = noteAnew(anew, { name: "cancelled pool hr", text: noted(keyring.contentName(CONTENT)) });
    assert.equal(rekeyed, noted(anew.contentName(CONTENT)));
    assert.equal(noteAnew(anew, { name: "fetched hr staff", text: fetched }), "");
  });
});
