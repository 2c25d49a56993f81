/**
 * `npm run soak:events -- [--minutes 10] [--lag 60]`: two feeds with a file and events each, against sources whose exports
 * lag. Events are lost, doubled, late and out of order. No value may ever go back, and the plan after it must be empty:
 * see docs/reliability.md.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Webhook } from "standardwebhooks";
import { z } from "zod";
import { startFeed } from "../../src/app/feeds/start-feed.ts";
import { imbalance } from "../../src/core/books.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { randomFrom } from "../support/random.ts";
import { openChildren } from "./children.ts";
import { startLoneRedis } from "./lone-redis.ts";
import { freePort } from "./redis-processes.ts";
import { POOL, startService } from "./service.ts";
import { createSource, wentBack, type SourceChange } from "./two-ways.ts";

const USERS = 100;
const CHANGES_PER_SECOND = 3;
const NAMESPACE = "two-ways";
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/** Of a hundred events. */
const [LOST, DOUBLED, LATE] = [10, 10, 10];
const OUT_OF_ORDER_MS = 400;
const LATEST_MS = 90_000;
const TRY_AGAIN_MS = 1_000;
const PASS_MS = 5 * 60_000;

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "10" }, lag: { type: "string", default: "60" } },
});
const [forMs, lagMs] = [Number(values.minutes) * 60_000, Number(values.lag) * 1000];
if (!(forMs > 0) || !(lagMs >= 1000)) {
  process.stdout.write("Expected --minutes to be a number above 0, and --lag of 1 second or more.\n");
  process.exit(64);
}

const planned = z.object({
  users: z.object({ changed: z.number() }),
  stale: z.unknown().optional(),
  missed: z.unknown().optional(),
});
const logLine = z.object({ msg: z.string(), feed: z.string(), values: z.number() });

const directory = await mkdtemp(join(tmpdir(), "poolsync-two-ways-"));
const closers: (() => Promise<unknown> | void)[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await soak();
} finally {
  for (const close of closers.toReversed()) await close();
  if (process.exitCode === 0) await rm(directory, { recursive: true, force: true });
  else say(`What its processes logged is in ${directory}.`);
}

async function soak(): Promise<number> {
  const { next: random } = randomFrom(1);
  const users = Array.from({ length: USERS }, (_, nth) => `user${nth}`);
  // Before the first export, which is as old as that.
  const begunAt = Date.now() - lagMs - 60_000;
  const sources = {
    // Says no time of its own but that of the file: exact to the second, as HTTP says it.
    hr: createSource(users, ["given_name", "family_name"], begunAt),
    crm: createSource(users, ["nickname"], begunAt),
  };
  const feeds = ["hr", "crm"] as const;
  const exports = createServer((request, response) => {
    const feed = feeds.find((name) => request.url === `/${name}.csv`);
    if (feed === undefined) return response.writeHead(404).end();
    const writtenAt = Math.floor(Date.now() / 1000) * 1000;
    if (feed === "hr") response.setHeader("last-modified", new Date(writtenAt).toUTCString());
    return response.end(sources[feed].exported(writtenAt - lagMs));
  });
  const port = await freePort();
  await new Promise<void>((resolve) => exports.listen(port, "127.0.0.1", resolve));
  closers.push(() => {
    exports.close();
    exports.closeAllConnections();
  });

  const children = openChildren(directory);
  closers.push(() => children.close());
  const redis = await startLoneRedis(directory, "everysec");
  closers.push(() => redis.close());
  const service = await startService(children, directory, users);
  const ingestPort = await freePort();
  const config = join(directory, "poolsync.yaml");
  await writeFile(config, yaml(port));
  const env = {
    ...AWS_ENVIRONMENT,
    REDIS_URL: redis.url,
    POOLSYNC_NAMESPACE: NAMESPACE,
    POOLSYNC_POOLS: POOL,
    POOLSYNC_CONFIG: config,
    POOLSYNC_DATA_DIR: join(directory, "data"),
    POOLSYNC_INGEST_PORT: String(ingestPort),
    HOOK_SECRET: SECRET,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: `http://127.0.0.1:${service.port}`,
  };
  const workers = ["deliver", "ingest", "directory"].map((name) =>
    children.start({ name, file: `workers/${name}.ts`, args: [], env }),
  );
  const engine = await openEngine({ redisUrl: redis.url, namespace: NAMESPACE, dataDir: "" });
  closers.push(() => engine.close());
  const { runs, inbox, letters } = engine.store;
  const passes = async (feed: string, since: number) =>
    (await runs.list(500)).filter(
      (run) => run.source === "file" && run.feed === feed && run.startedAt >= since && run.state === "finished",
    ).length;
  const passOfEach = async (since: number) =>
    (await Promise.all(feeds.map((feed) => passes(feed, since)))).every((many) => many > 0);
  await until("events are taken", () =>
    fetch(`http://127.0.0.1:${ingestPort}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  await until("each feed was put once", () => passOfEach(0), PASS_MS);

  const counts = { changes: 0, lost: 0, doubled: 0, late: 0, sent: 0, again: 0 };
  const sending = new Set<Promise<void>>();
  const webhook = new Webhook(SECRET);
  async function send(feed: string, { at, username, attribute, value }: SourceChange, afterMs: number): Promise<void> {
    await sleep(afterMs);
    const body = JSON.stringify({ user: username, [attribute]: value, at });
    const id = `${feed}_${value}`;
    for (;;) {
      // Each try is signed anew, as its rules say.
      const now = new Date();
      const headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
        "webhook-signature": webhook.sign(id, now, body),
      };
      const request = { method: "POST", headers, body };
      const answer = await fetch(`http://127.0.0.1:${ingestPort}/events/${feed}`, request).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.ok) break;
      counts.again += 1;
      await sleep(TRY_AGAIN_MS);
    }
    counts.sent += 1;
  }
  const post = (feed: string, change: SourceChange, afterMs: number): void => {
    const one = send(feed, change, afterMs).finally(() => sending.delete(one));
    sending.add(one);
  };
  const begun = Date.now();
  for (let said = begun; Date.now() - begun < forMs;) {
    const feed = feeds[random() < 0.7 ? 0 : 1] ?? "hr";
    const { attributes } = sources[feed];
    const username = users[Math.floor(random() ** 2 * USERS)] ?? "";
    const change = sources[feed].change(
      username,
      attributes[Math.floor(random() * attributes.length)] ?? "",
      Date.now(),
    );
    counts.changes += 1;
    const lot = random() * 100;
    if (lot < LOST) counts.lost += 1;
    else if (lot < LOST + DOUBLED) {
      counts.doubled += 1;
      post(feed, change, random() * OUT_OF_ORDER_MS);
      post(feed, change, random() * LATEST_MS);
    } else if (lot < LOST + DOUBLED + LATE) {
      counts.late += 1;
      post(feed, change, random() * LATEST_MS);
    } else post(feed, change, random() * OUT_OF_ORDER_MS);
    if (Date.now() - said > 60_000) {
      said = Date.now();
      say(`${Math.round((said - begun) / 60_000)} min: ${JSON.stringify(counts)}`);
    }
    await sleep((1000 / CHANGES_PER_SECOND) * 2 * random());
  }

  // The source rests: what is late comes, and then an export has all of it.
  await Promise.all(sending);
  await sleep(lagMs + 2000);
  const restsSince = await engine.store.now();
  for (const feed of feeds) await startFeed(engine, feed);
  await until("each feed was put once more", () => passOfEach(restsSince), PASS_MS);
  await until("everything is delivered", async () => {
    const { waiting, taken } = await inbox.counts();
    return waiting + taken === 0 && (await runs.books()).pending === 0;
  });

  const writes = (await service.writes()).filter(({ deed }) => deed === undefined);
  const wrong = wentBack(writes).map((one) => `went back: ${one}`);
  for (const feed of feeds) {
    const { users: people, stale, missed } = planned.parse(JSON.parse(await planOf(feed)));
    if (people.changed > 0 || stale !== undefined || missed !== undefined) {
      wrong.push(`the plan of ${feed} after it is not empty: ${JSON.stringify({ people, stale, missed })}`);
    }
  }
  for (const username of users) {
    const there = await service.attributesOf(username);
    for (const source of Object.values(sources)) {
      for (const name of source.attributes) {
        if (there[name] !== source.value(username, name)) wrong.push(`${username} has another ${name} than the source`);
      }
    }
  }
  const books = await runs.books();
  if (imbalance(books) !== 0) wrong.push("the books do not balance");
  if ((await Array.fromAsync(letters.list({}))).length > 0) wrong.push("there are dead letters");
  if ((await Array.fromAsync(inbox.parked({}))).length > 0) wrong.push("events are parked");
  const missedValues = (await readFile(join(directory, "directory.log"), "utf8")).split("\n").flatMap((line) => {
    const parsed = logLine.safeParse(line === "" ? undefined : JSON.parse(line));
    return parsed.success && parsed.data.msg === "events had missed values" ? [parsed.data.values] : [];
  });
  if (counts.lost > 0 && missedValues.length === 0) wrong.push("nothing says that events were missed");
  for (const worker of workers) {
    worker.signal("SIGTERM");
    const end = await worker.ended;
    if (end !== 0) wrong.push(`${worker.name} ended with ${end}`);
  }

  say(`${JSON.stringify(counts)}`);
  say(`writes ${writes.length}; books ${JSON.stringify(books)}`);
  for (const feed of feeds) say(`${feed} was put ${await passes(feed, 0)} times`);
  say(`plans said of ${missedValues.reduce((sum, many) => sum + many, 0)} values that events had missed them`);
  for (const line of wrong) say(`BROKEN  ${line}`);
  say(wrong.length === 0 ? "No value went back, and the plan after it is empty." : "It does not hold.");
  return wrong.length === 0 ? 0 : 1;

  async function planOf(feed: string): Promise<string> {
    const lines: string[] = [];
    const args = ["plan", "--feed", feed, "--json"];
    const child = children.start({
      name: `plan-${feed}`,
      file: "bin/poolsync.js",
      args,
      env,
      onLine: (line) => lines.push(line),
    });
    await child.ended;
    return lines.join("\n");
  }
}

function yaml(port: number): string {
  const off = "{ changed: off, cleared: off, sameValue: off, shape: off, unmatched: off, rows: off }";
  const both = (feed: string): string =>
    [
      `file: "http://127.0.0.1:${port}/${feed}.csv"`,
      `schedule: { every: 1m }, guards: ${off}, pool: ${POOL}, username: user`,
      "events: { scheme: standard-webhooks, secret: HOOK_SECRET, version: at }",
    ].join(", ");
  return [
    "feeds:",
    `  hr: { ${both("hr")}, snapshotAge: ${lagMs / 1000}s, attributes: { given_name: given_name, family_name: family_name }, ignore: [at] }`,
    `  crm: { ${both("crm")}, version: at, attributes: { nickname: nickname } }`,
    "",
  ].join("\n");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
