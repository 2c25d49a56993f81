import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import {
  createKeysWatch,
  isMarkedSealed,
  markSealed,
  openKeysToLook,
  openKeysToWork,
  openNamespaceKeys,
  rewrapKeys,
} from "../../src/store/namespace-keys.ts";
import { openMemoryStore } from "../support/memory-store.ts";

const ONE = Buffer.alloc(32, 1);
const TWO = Buffer.alloc(32, 2);
const open = () => openMemoryStore().store;
type TestStore = ReturnType<typeof open>;
const recordOf = async (store: TestStore): Promise<string> => (await store.recall("keys")) ?? "";

/** A namespace as a version before format 3 left it. */
async function former(key?: Buffer) {
  const store = open();
  const mark = (bytes: Buffer) =>
    createHash("sha256").update("poolsync key mark").update(bytes).digest("base64url").slice(0, 16);
  await store.setOnce("key", key === undefined ? "none" : mark(key));
  await store.setOnce("digest-key", ONE.toString("base64url"));
  return store;
}

describe("the keys of a namespace", () => {
  test("are made once, whoever comes first, and are the same for everybody", async () => {
    const store = open();
    const [one, other] = await Promise.all([openKeysToWork(store, { key: ONE }), openKeysToWork(store, { key: ONE })]);
    assert.deepEqual(one, other);
    assert.deepEqual([one.keys.data.length, one.keys.digest.length, one.keys.former], [32, 32, undefined]);
    assert.ok(one.keys.sealed && !one.keys.data.equals(one.keys.digest));
    assert.notDeepEqual((await openKeysToWork(open(), { key: ONE })).keys, one.keys);
  });

  test("are not taken for gone where another process makes them, and uses them, in the same moment", async () => {
    const store = open();
    let isFirst = true;
    const late = new Proxy(store, {
      get(target, name) {
        if (name !== "recall") return Reflect.get(target, name) as unknown;
        return async (text: string) => {
          const found = await target.recall(text);
          if (text !== "keys" || !isFirst) return found;
          isFirst = false;
          await openKeysToWork(store, { key: ONE });
          await store.target({ pool: "p", endpoint: "localhost", region: "eu-west-1", arn: "arn" });
          return found;
        };
      },
    });
    assert.deepEqual(await openKeysToWork(late, { key: ONE }), await openKeysToWork(store, { key: ONE }));
  });

  test("show nothing of themselves where a key wraps them, and lie in clear where none does", async () => {
    for (const key of [ONE, undefined]) {
      const store = open();
      const { keys } = await openKeysToWork(store, { key });
      const record = await recordOf(store);
      for (const bytes of [keys.data, keys.digest]) {
        for (const form of ["base64", "base64url", "hex"] as const) {
          if (key !== undefined) assert.ok(!record.includes(bytes.toString(form)), form);
        }
        if (key === undefined) assert.ok(record.includes(bytes.toString("base64")));
      }
    }
  });

  test("are refused to another key, to none, and to one where none wraps them, each with the next step", async () => {
    const wrapped = open();
    await openKeysToWork(wrapped, { key: ONE });
    await assert.rejects(openKeysToWork(wrapped, { key: TWO }), {
      kind: "wrong-key",
      message: /another POOLSYNC_KEY: set that one; or.*POOLSYNC_KEY_PREVIOUS.*rekey/,
    });
    await assert.rejects(openKeysToWork(wrapped, {}), { kind: "wrong-key", message: /none is set: set it/ });
    const clear = open();
    await openKeysToWork(clear, {});
    await assert.rejects(openKeysToWork(clear, { key: ONE }), {
      kind: "wrong-key",
      message: /lie in clear.*run.*rekey/,
    });
  });

  test("are opened by the previous key as well, before and after they are wrapped by another", async () => {
    const store = open();
    const { keys } = await openKeysToWork(store, { key: ONE });
    const both = { key: TWO, previousKey: ONE };
    assert.deepEqual((await openKeysToWork(store, both)).keys, keys);
    assert.deepEqual(await rewrapKeys(store, both), { is: "wrapped", from: "previous key" });
    assert.deepEqual(await rewrapKeys(store, both), { is: "done before" });
    assert.deepEqual((await openKeysToWork(store, both)).keys, keys);
    assert.deepEqual((await openKeysToWork(store, { key: ONE, previousKey: TWO })).keys, keys);
    await assert.rejects(openKeysToWork(store, { key: ONE }), { kind: "wrong-key" });
  });

  test("are given a key, and stay the same", async () => {
    const store = open();
    const { keys } = await openKeysToWork(store, {});
    assert.deepEqual(await rewrapKeys(store, { key: ONE }), { is: "wrapped", from: "none" });
    assert.deepEqual(await openKeysToWork(store, { key: ONE }), {
      ...(await openNamespaceKeys(store, { key: ONE })),
      keys,
    });
    assert.ok(!(await recordOf(store)).includes(keys.digest.toString("base64")));
  });

  test("are not made by a rekey of a namespace that nobody has used", async () => {
    const store = open();
    assert.deepEqual(await rewrapKeys(store, { key: ONE }), { is: "never used" });
    assert.deepEqual([await recordOf(store), await store.recall("identity")], ["", undefined]);
  });

  test("are not made by who only looks, who opens those that are there", async () => {
    const store = open();
    const { keys } = await openKeysToLook(store, {});
    assert.deepEqual([keys.sealed, await recordOf(store)], [true, ""]);
    const made = await openKeysToWork(store, { key: ONE });
    assert.deepEqual(await openKeysToLook(store, { key: ONE }), made);
    await assert.rejects(openKeysToLook(store, {}), { kind: "wrong-key" });
    const emptied = open();
    await emptied.target({ pool: "eu-west-1_A", endpoint: "localhost", region: "eu-west-1", arn: "arn" });
    await assert.rejects(openKeysToLook(emptied, {}), { kind: "damaged", message: /keys.*are gone/ });
  });

  test("keep the digest key of before, which then lies in clear no more", async () => {
    for (const key of [undefined, TWO]) {
      const store = await former(key);
      const { keys } = await openKeysToWork(store, { key });
      assert.ok(keys.digest.equals(ONE) && !keys.sealed);
      assert.equal(keys.former?.length, key && 32);
      assert.deepEqual([await store.recall("key"), await store.recall("digest-key")], [undefined, undefined]);
      assert.equal(await isMarkedSealed(store), false);
      await markSealed(store, { key });
      await markSealed(store, { key });
      assert.equal(await isMarkedSealed(store), true);
      assert.deepEqual((await openKeysToWork(store, { key })).keys, { ...keys, sealed: true });
    }
  });

  test("of before are refused to another key, and given one by a rekey once all is sealed", async () => {
    const keyed = await former(TWO);
    await assert.rejects(openKeysToWork(keyed, { key: ONE }), { kind: "wrong-key" });
    await assert.rejects(openKeysToWork(keyed, {}), { kind: "wrong-key" });
    assert.equal(await keyed.recall("keys"), undefined);
    assert.equal((await openKeysToWork(keyed, { key: ONE, previousKey: TWO })).wrappedBy, "previous key");
    const clear = await former();
    assert.equal((await rewrapKeys(clear, { key: ONE })).is, "not sealed");
    await markSealed(clear, {});
    assert.deepEqual(await rewrapKeys(clear, { key: ONE }), { is: "wrapped", from: "none" });
    assert.ok((await openKeysToWork(clear, { key: ONE })).keys.digest.equals(ONE));
  });

  test("that were altered are refused: cut, swapped, of another namespace, or told to be sealed no more", async () => {
    const store = open();
    await openKeysToWork(store, { key: ONE });
    const record = await recordOf(store);
    const { data, digest } = JSON.parse(record) as Record<string, string>;
    const other = open();
    await openKeysToWork(other, { key: ONE });
    const altered = [
      "{",
      "{}",
      record.replace('"sealed":true', '"sealed":false'),
      JSON.stringify({ ...JSON.parse(record), data: digest, digest: data }),
      await recordOf(other),
    ];
    for (const text of altered) {
      const there = await recordOf(store);
      assert.ok(await store.exchange("keys", there, text));
      await assert.rejects(openKeysToWork(store, { key: ONE }), { kind: "damaged", message: /keys.*were altered/ });
    }
  });

  test("that are gone, or no record at all, are put back by who has them: as it has opened them last", async () => {
    const store = open();
    const wrapping = { key: TWO, previousKey: ONE };
    const look = createKeysWatch(store, wrapping, await openKeysToWork(store, { key: ONE }));
    assert.equal(await look(), "there");
    await rewrapKeys(store, wrapping);
    assert.equal(await look(), "there");
    const record = await recordOf(store);
    // Nobody can tell a key that this process does not have from one that nobody has.
    await rewrapKeys(store, { key: Buffer.alloc(32, 3), previousKey: TWO });
    assert.equal(await look(), "closed");
    const strange = JSON.stringify({ ...JSON.parse(record), by: "z".repeat(16) });
    assert.ok(await store.exchange("keys", await recordOf(store), strange));
    assert.equal(await look(), "closed");
    assert.equal(await recordOf(store), strange, "never put in the place of another");
    for (const text of ["", "{", "{}", "5"]) {
      assert.ok(await store.exchange("keys", await recordOf(store), text));
      assert.equal(await look(), "put back");
      assert.equal(await recordOf(store), record);
      assert.equal(await look(), "there");
    }
  });

  test("that others have taken the place of are told, and left as they are", async () => {
    for (const key of [ONE, undefined]) {
      const [store, other] = [open(), open()];
      const look = createKeysWatch(store, { key }, await openKeysToWork(store, { key }));
      const record = await recordOf(store);
      const { data, digest } = JSON.parse(record) as Record<string, string>;
      await openKeysToWork(other, { key });
      for (const text of [
        JSON.stringify({ ...JSON.parse(record), data: digest, digest: data }),
        JSON.stringify({ ...JSON.parse(record), next: "zzz" }),
        JSON.stringify({ ...JSON.parse(record), earlier: ["zzz"] }),
        await recordOf(other),
      ]) {
        assert.ok(await store.exchange("keys", await recordOf(store), text));
        assert.equal(await look(), "altered");
        assert.equal(await recordOf(store), text);
      }
      assert.ok(await store.exchange("keys", await recordOf(store), record));
      assert.equal(await look(), "there");
    }
  });
});
