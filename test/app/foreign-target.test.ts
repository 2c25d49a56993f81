import assert from "node:assert/strict";
import { test } from "node:test";
import { setApp } from "../support/app-stage.ts";
import { POOL } from "../support/pool-stage.ts";

test("a pool that the namespace knows at another endpoint is refused before anything is asked of this one", async (t) => {
  const app = await setApp(t);
  const { store } = await app.open();
  const arn = `arn:aws:cognito-idp:eu-west-1:123456789012:userpool/${POOL}`;
  await store.target({ pool: POOL, endpoint: "cognito-idp.eu-west-1.amazonaws.com", region: "eu-west-1", arn });
  const file = await app.file("username,given_name\nu0,New\n");
  // An endpoint that answers nothing would be asked for half a minute.
  await app.emulator.close();
  await assert.rejects(app.sync(file), {
    kind: "foreign-target",
    message:
      /knows pool .* at cognito-idp\.eu-west-1\.amazonaws\.com .*would write to (127\.0\.0\.1|localhost):\d+.*--endpoint-url/,
  });
});
