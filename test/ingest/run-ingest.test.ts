import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { openEngine } from "../../src/queues/engine.ts";
import { portIn, SECRETS, setIngestStage } from "./process-stage.ts";

const AT = "2026-01-31T18:42:00Z";

/** Sends an event to a feed; the status. */
async function send(port: number, feed: string, body: string, headers: Readonly<Record<string, string>>) {
  const url = `http://127.0.0.1:${port}/events/${feed}`;
  const response = await fetch(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
  await response.arrayBuffer();
  return response.status;
}

/** The headers that the other side's own library makes. */
function standard(body: string, id: string, signedAt = new Date()): Record<string, string> {
  const signature = new Webhook(SECRETS.CRM_SECRET).sign(id, signedAt, body);
  return {
    "webhook-id": id,
    "webhook-timestamp": `${Math.floor(signedAt.getTime() / 1000)}`,
    "webhook-signature": signature,
  };
}

const named = (user: string, first: string): string => JSON.stringify({ user, first, at: AT });

describe("the process that takes events, when it is killed", () => {
  test("has kept what it has acknowledged", async (t) => {
    const stage = await setIngestStage(t, "redis");
    const child = stage.startIngest();
    const port = await portIn(child.stderr);
    const acknowledged: string[] = [];
    let refused = 0;
    const sending = Array.from({ length: 200 }, async (_, number) => {
      const body = named(`u${number % 10}`, `New ${number}`);
      try {
        if ((await send(port, "crm", body, standard(body, `msg_${number}`))) === 200)
          acknowledged.push(`msg_${number}`);
      } catch {
        refused += 1;
      }
      if (acknowledged.length === 50) child.child.kill("SIGKILL");
    });
    await Promise.all(sending);
    await child.kill("SIGKILL");
    assert.ok(acknowledged.length >= 50 && refused > 0, `${acknowledged.length} were acknowledged`);
    const engine = await openEngine({ ...stage.place, dataDir: "/nonexistent" });
    t.after(() => engine.close());
    const { waiting, taken } = await engine.store.inbox.counts();
    assert.ok(waiting + taken >= acknowledged.length, `${waiting} of ${acknowledged.length} are kept`);
  });
});
