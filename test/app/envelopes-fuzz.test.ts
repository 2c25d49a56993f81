import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { openEnvelopes } from "../../src/app/events/envelopes.ts";
import { jsonRecords } from "../../src/feeds/json-records.ts";
import { fuzzParameters } from "../support/fuzz.ts";

/** What wraps an event, by what it is called. */
const WRAPPERS: Readonly<Record<string, (event: unknown) => unknown>> = {
  bridge: (detail) => ({ id: "e", "detail-type": "t", source: "s", time: "2026-01-31T18:42:00Z", detail }),
  notification: (event) => ({ Type: "Notification", TopicArn: "a", MessageId: "n", Message: JSON.stringify(event) }),
  cloud: (data) => ({ specversion: "1.0", type: "t", source: "s", id: "c", data }),
  packed: (event) => ({
    specversion: "1.0",
    type: "t",
    source: "s",
    id: "c",
    data_base64: Buffer.from(JSON.stringify(event)).toString("base64"),
  }),
};

describe("the envelopes of any message", () => {
  const person = fc.record({ user: fc.string(), score: fc.double({ noNaN: true, noDefaultInfinity: true }) });
  const wrappers = fc.array(fc.constantFrom(...Object.keys(WRAPPERS)), { maxLength: 4 });

  test("leave the event as it was, in whatever order they are", async (t) => {
    const property = fc.property(person, wrappers, (event, names) => {
      const body = JSON.stringify(names.reduce((inner, name) => WRAPPERS[name]?.(inner), event as unknown));
      const { text, within, event: opened } = openEnvelopes(body);
      assert.deepEqual(opened, JSON.parse(JSON.stringify(event)));
      const found = jsonRecords(text, undefined, within);
      assert.equal(found.is === "found" && found.count, 1);
    });
    fc.assert(property, fuzzParameters(t, 300));
  });

  test("are looked for in any text without an error", async (t) => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .dictionary(
          fc.constantFrom("Type", "Message", "detail", "data", "payload", "specversion", "__proto__"),
          fc.jsonValue(),
        )
        .map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(text, (body) => {
        const { text: json, within } = openEnvelopes(body);
        jsonRecords(json, undefined, within);
      }),
      fuzzParameters(t, 500),
    );
  });
});
