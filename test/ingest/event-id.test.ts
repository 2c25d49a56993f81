import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import type { EventsSetting } from "../../src/config/events.ts";
import { createIdReader } from "../../src/ingest/event-id.ts";
import { feed, NOW, PLAIN_HMAC, startIngest } from "./ingest-stage.ts";

describe("an event's own id", () => {
  const BODY = '{"id":"evt_1","data":{"number":7,"long":12345678901234567890,"blank":"","list":["a"]}}';
  const read = (setting: Pick<EventsSetting, "id" | "idHeader">, body: string | Uint8Array = BODY) =>
    createIdReader(setting)({
      header: (name) => (name === "x-id" ? "h 1" : undefined),
      body: Buffer.from(body),
    });

  test("is read from the body by an expression, or from a header", () => {
    assert.equal(read({ id: "id" }), "evt_1");
    assert.equal(read({ id: "data.number" }), "7");
    assert.equal(read({ id: "join('/', [id, data.list[0]])" }), "evt_1/a");
    assert.equal(read({ idHeader: "X-Id" }), "h 1");
  });

  test("is none where it is not said, not a text, or not exactly known", () => {
    assert.equal(read({}), undefined);
    assert.equal(read({ idHeader: "X-Other" }), undefined);
    for (const id of ["other", "data", "data.long", "data.blank", "data.list", "length(data.number)"]) {
      assert.equal(read({ id }), undefined, id);
    }
    for (const body of ["", "{", "null", `"${"x".repeat(300)}"`, Buffer.from([0xff, 0x22]), "[".repeat(100_000)]) {
      assert.equal(read({ id: "@" }, body), undefined);
    }
  });

  test("has its signature for an id where a time is signed and the settings find none", async (t) => {
    const hmac = { ...PLAIN_HMAC, signed: "{timestamp}.{body}", timestampHeader: "X-Time" };
    const stage = await startIngest(t, [feed("hr", { scheme: "hmac", id: "id", hmac })]);
    const send = (body: string, at: number) => {
      const time = String(at / 1000);
      const signature = createHmac("sha256", "h").update(`${time}.${body}`).digest("hex");
      return stage.send({ headers: { "x-time": time, "x-sig": signature }, body });
    };
    // What is set back within days has the same body twice.
    for (const [body, at] of [
      ["{}", NOW],
      ['{"id":"e7"}', NOW],
      ["{}", NOW + 1000],
      ["{}", NOW],
    ] as const) {
      assert.equal((await send(body, at)).status, 200);
    }
    const [one, own, later, repeat] = stage.events.map(({ event }) => event.id);
    assert.deepEqual([own, one === repeat, one === later, one === undefined], ["e7", true, false, false]);
  });
});
