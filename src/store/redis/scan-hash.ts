import type { RedisClient } from "./connection.ts";

const FIELDS_PER_STEP = 500;

/**
 * The fields of a hash with their values, a few at a time, so that no step holds the server up. A field that stays for the whole walk
 * comes once; one that comes or goes meanwhile may come or not.
 */
export async function* scanHash(
  redis: RedisClient,
  key: string,
): AsyncGenerator<readonly [field: string, value: string]> {
  // HSCAN may give a field twice when the hash grows or shrinks under it.
  const seen = new Set<string>();
  let cursor = "0";
  do {
    const [next, elements] = await redis.hscan(key, cursor, "COUNT", FIELDS_PER_STEP);
    for (let i = 0; i + 1 < elements.length; i += 2) {
      const [field, value] = [elements[i], elements[i + 1]];
      if (field === undefined || value === undefined || seen.has(field)) continue;
      seen.add(field);
      yield [field, value];
    }
    cursor = next;
  } while (cursor !== "0");
}
