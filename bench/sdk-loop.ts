/**
 * The peers of the bench: what a bare loop over the SDK does, as its documentation says. A process of its own, told
 * what to do by its arguments; prints one JSON document when it ends, by itself or by SIGTERM.
 *
 *   sdk-loop.ts <pool> <users> <in flight> [standard | adaptive | throttle] [calls a second]
 *
 * Without a mode every user is written once. With one they are written over and over until SIGTERM: with the SDK's
 * standard or adaptive retries, or paced by p-throttle at a rate that is known.
 */
import {
  AdminUpdateUserAttributesCommand,
  CognitoIdentityProviderClient,
} from "@aws-sdk/client-cognito-identity-provider";
import pThrottle from "p-throttle";

const [pool = "", users = "0", concurrency = "1", mode, rate = "1"] = process.argv.slice(2);
const lanes = Number(concurrency);
const client = new CognitoIdentityProviderClient({
  requestHandler: { httpAgent: { keepAlive: true, maxSockets: lanes } },
  ...(mode === undefined ? {} : { retryMode: mode === "adaptive" ? "adaptive" : "standard" }),
});
let next = 0;
let done = 0;
let failed = 0;
let stopping = false;
process.once("SIGTERM", () => {
  stopping = true;
});

async function write(index: number): Promise<void> {
  const UserAttributes = [
    { Name: "given_name", Value: `Loop ${index}` },
    { Name: "family_name", Value: `Family ${index}` },
    { Name: "nickname", Value: `nick${index}` },
  ];
  const Username = `user${String((index % Number(users)) + 1).padStart(5, "0")}`;
  try {
    await client.send(new AdminUpdateUserAttributesCommand({ UserPoolId: pool, Username, UserAttributes }));
    done += 1;
  } catch {
    failed += 1;
  }
}

const paced = mode === "throttle" ? pThrottle({ limit: 1, interval: 1000 / Number(rate) })(write) : write;

async function lane(): Promise<void> {
  for (;;) {
    const index = next;
    next += 1;
    if (stopping || (mode === undefined && index >= Number(users))) return;
    await paced(index);
  }
}

// By this clock the process began at 0.
const begunAt = performance.now();
await Promise.all(Array.from({ length: lanes }, lane));
const seconds = (performance.now() - begunAt) / 1000;
client.destroy();
const { user, system } = process.cpuUsage();
process.stdout.write(
  JSON.stringify({
    calls: done + failed,
    done,
    failed,
    seconds,
    secondsBefore: begunAt / 1000,
    cpuSeconds: (user + system) / 1e6,
  }),
);
