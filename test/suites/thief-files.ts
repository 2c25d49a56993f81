/** What a reader of Redis can learn of files: a row of the table that test/app/thief.test.ts plays. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { identityOf, mappingOf, openInput } from "../../src/app/feeds/feed-input.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { readPoolProfile } from "../../src/cognito/pool-profile.ts";
import { withScope } from "../../src/lifecycle.ts";
import type { Keyring } from "../../src/store/keyring.ts";
import { setApp } from "../support/app-stage.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";
import { startThief, type Play } from "../support/thief.ts";

export const BORN = "1994-07-13";

export const FILE_ROWS: Readonly<Record<string, Play>> = {
  "guesses what is in a file of a run, whole": async (t, { key }) => {
    const environment = key ? { POOLSYNC_KEY: key.toString("base64") } : {};
    const app = await setApp(t, { environment });
    addUsers(app.pool, 1);
    const guessed = (born: string) => app.file(`username,birthdate\nu0,${born}\n`, "hr.csv");
    await app.sync(await guessed(BORN));
    const thief = startThief(app.environment["REDIS_URL"] ?? "", app.environment["POOLSYNC_NAMESPACE"] ?? "");
    t.after(() => thief.close());
    const dump = await thief.dump();
    const cognito = createCognitoClient({ endpoint: app.emulator.url, region: "eu-west-1", concurrency: 1 });
    t.after(() => cognito.close());
    const profile = await readPoolProfile(cognito, POOL);
    /** True where one of the keyrings names a run of the guess as one that is there is named. */
    async function found(born: string, keyrings: readonly Pick<Keyring, "contentName">[]): Promise<boolean> {
      const file = await guessed(born);
      const texts = [...dump].flat();
      return withScope(async (scope) => {
        const options = { flags: {}, feed: undefined, spoolDir: "", stdin: Readable.from([]), now: Date.now, scope };
        const input = await openInput(file, { ...options, signal: new AbortController().signal });
        const mapping = mappingOf(input, undefined, {}, profile);
        const names = keyrings.map((keyring) => identityOf(input, POOL, mapping, keyring));
        return names.some((name) => texts.some((text) => text.includes(name)));
      });
    }
    const { keyring } = await app.open();
    const keyrings = [{ contentName: (text: string) => text }, ...(await thief.keyrings(dump))];
    assert.deepEqual([await found(BORN, [keyring]), await found("1994-07-14", [keyring])], [true, false]);
    assert.deepEqual([await found(BORN, keyrings), await found("1994-07-14", keyrings)], [key === undefined, false]);
  },
};
