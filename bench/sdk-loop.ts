/**
 * The peer of the throughput bench: what a bare loop over the SDK does, as its documentation says. A process of its
 * own; prints one JSON document.
 */
import {
  AdminUpdateUserAttributesCommand,
  CognitoIdentityProviderClient,
} from "@aws-sdk/client-cognito-identity-provider";

const [pool = "", users = "0", concurrency = "1"] = process.argv.slice(2);
const lanes = Number(concurrency);
const agent = { keepAlive: true, maxSockets: lanes };
const client = new CognitoIdentityProviderClient({ requestHandler: { httpAgent: agent } });
let next = 0;
let failed = 0;

async function lane(): Promise<void> {
  for (;;) {
    const index = next;
    next += 1;
    if (index >= Number(users)) return;
    const UserAttributes = [
      { Name: "given_name", Value: `Loop ${index}` },
      { Name: "family_name", Value: `Family ${index}` },
      { Name: "nickname", Value: `nick${index}` },
    ];
    const Username = `user${String(index + 1).padStart(5, "0")}`;
    try {
      await client.send(new AdminUpdateUserAttributesCommand({ UserPoolId: pool, Username, UserAttributes }));
    } catch {
      failed += 1;
    }
  }
}

const begunAt = performance.now();
await Promise.all(Array.from({ length: lanes }, lane));
const seconds = (performance.now() - begunAt) / 1000;
client.destroy();
const { user, system } = process.cpuUsage();
process.stdout.write(JSON.stringify({ calls: Number(users), failed, seconds, cpuSeconds: (user + system) / 1e6 }));
