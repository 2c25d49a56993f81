import {
  accountIn,
  accountTexts,
  INDEX_KEPT_MS,
  MARK_LENGTH,
  SCAN_WAIT_MS,
  SEVERAL,
  type AccountIndex,
  type IndexedAttribute,
} from "../account-index.ts";
import { timeIn } from "../documents.ts";
import type { OwnRead } from "../fence.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";

/** Mark and seal are base64, and kept as its bytes: a fifth of what a person takes. */
const MARK_BYTES = (MARK_LENGTH * 3) / 4;
const SEALED = "b:";
const packed = (text: string): string | Buffer =>
  text === SEVERAL ? text : Buffer.from(text.replace(SEALED, ""), "base64");

function unpacked(bytes: Buffer): string {
  if (bytes.toString() === SEVERAL) return SEVERAL;
  const text = bytes.toString("base64");
  return text.slice(0, MARK_LENGTH) + SEALED + text.slice(MARK_LENGTH);
}

/** The port to the account index. */
export function createRedisAccounts(redis: RedisClient, keys: Keys, scripts: Scripts, ownRead: OwnRead): AccountIndex {
  const indexOf = ({ pool, attribute }: IndexedAttribute): string => `${pool}|${attribute}`;
  const wholeOf = (of: IndexedAttribute): string => keys.accounts(indexOf(of));
  const partOf = (of: IndexedAttribute & { readonly scan: string }): string => `${wholeOf(of)}|${of.scan}`;

  return {
    async add(scan, accounts) {
      const texts = [...accountTexts(accounts)].flatMap(([name, text]) => [name, packed(text)]);
      await scripts.run("accounts-add", [partOf(scan)], [SCAN_WAIT_MS, MARK_BYTES, SEVERAL, ...texts]);
    },

    async drop(scan) {
      await scripts.run("command", [partOf(scan)], ["UNLINK"]);
    },

    async finish(scan, adds) {
      const own = [partOf(scan), wholeOf(scan), keys.accountScans];
      return (await scripts.run("accounts-finish", own, [indexOf(scan), scan.beganAt, adds, INDEX_KEPT_MS])) === 1;
    },

    async find(of, name) {
      // The time first: a scan that ends between the two leads to one that is too early, and never too late.
      const [at, bytes] = await ownRead(() =>
        Promise.all([redis.hget(keys.accountScans, indexOf(of)), redis.hgetBuffer(wholeOf(of), name)]),
      );
      const scannedAt = timeIn(at ?? "");
      return {
        found: accountIn(bytes === null ? undefined : unpacked(bytes)),
        ...(scannedAt > 0 ? { scannedAt } : {}),
      };
    },

    async scanned(pool) {
      const begin = indexOf({ pool, attribute: "" });
      const all = Object.entries(await ownRead(() => redis.hgetall(keys.accountScans)));
      return new Map(
        all.flatMap(([index, at]) =>
          index.startsWith(begin) ? [[index.slice(begin.length), timeIn(at)] as const] : [],
        ),
      );
    },
  };
}
