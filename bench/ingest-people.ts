/** Requests of 20 people each: how many are acknowledged, beside a bare server that adds as many jobs of BullMQ a request. */
import { sendAll } from "./http-load.ts";
import { drained, envOf, LOGGING, recordOf, signedRequest, startServer, type Server } from "./ingest-stage.ts";
import { username } from "./latency.ts";
import type { Outcome } from "./scenario.ts";
import { type BenchStage, cpuOf } from "./stage.ts";

const PEOPLE = 20;
const USERS = 20_000;
const CONNECTIONS = 50;
const WARM = 100;

interface Reading {
  readonly name: string;
  readonly requestsPerSecond: number;
  readonly peoplePerSecond: number;
  /** Of people from the first request until all are done with; the peer's are when they are added. */
  readonly donePerSecond: number;
  readonly cpuMicros: number;
  readonly lost: number;
}

export async function ingestPeople(stage: BenchStage, requests: number, say: (line: string) => void): Promise<Outcome> {
  const env = envOf(stage, 100_000);
  const readings: Reading[] = [];
  async function measure(name: string, server: Server, settle: () => Promise<number>): Promise<void> {
    say(`people: ${name}`);
    await sendAll({ port: server.port, connections: CONNECTIONS, next: bodies(WARM) });
    await settle();
    const next = bodies(requests);
    const [cpu, from] = [await cpuOf(server), performance.now()];
    const { seconds, refused } = await sendAll({ port: server.port, connections: CONNECTIONS, next });
    const left = await settle();
    const people = requests * PEOPLE;
    readings.push({
      name,
      requestsPerSecond: requests / seconds,
      peoplePerSecond: people / seconds,
      donePerSecond: (people * 1000) / (performance.now() - from),
      cpuMicros: (((await cpuOf(server)) - cpu) / people) * 1e6,
      lost: refused + left,
    });
  }

  const peer = await startServer(stage, "bench/bulk-server.ts", { ...env, PREFIX: `{poolsync:${stage.namespace}}p` });
  await measure("bare addBulk", peer, () => Promise.resolve(0));
  const server = await startServer(stage, "workers/ingest.ts", { ...env, ...LOGGING });
  await measure("ingest", server, () => drained(stage));
  // Again, because a machine that is shared is not equally fast all the time.
  await measure("bare addBulk, at the end", peer, () => Promise.resolve(0));
  await Promise.all([peer.stop(), server.stop()]);
  return outcomeOf(readings, requests);
}

function bodies(requests: number): () => Buffer | undefined {
  const made = Array.from({ length: requests }, (_, nth) => {
    const people = Array.from({ length: PEOPLE }, (__, at) => nth * PEOPLE + at);
    return signedRequest(people.map((one) => recordOf(username(one % USERS), `n${one}`)));
  });
  return () => made.pop();
}

function outcomeOf(readings: readonly Reading[], requests: number): Outcome {
  const bare = readings.filter(({ name }) => name.startsWith("bare"));
  const ofBare = (reading: Reading, of: (reading: Reading) => number): string =>
    ((of(reading) * bare.length) / bare.reduce((sum, one) => sum + of(one), 0)).toFixed(2);
  const columns = ["", "requests a second", "people", "of bare", "done with", "of bare", "CPU µs", "of bare", "lost"];
  return {
    tables: [
      {
        title: `${requests} requests of ${PEOPLE} people each, over ${CONNECTIONS} connections: acknowledged, and done with`,
        columns: columns.map((title, at) => ({ title, align: at === 0 ? "left" : "right" })),
        rows: readings.map((reading) => [
          reading.name,
          reading.requestsPerSecond.toFixed(0),
          reading.peoplePerSecond.toFixed(0),
          ofBare(reading, ({ peoplePerSecond }) => peoplePerSecond),
          reading.donePerSecond.toFixed(0),
          ofBare(reading, ({ donePerSecond }) => donePerSecond),
          reading.cpuMicros.toFixed(0),
          ofBare(reading, ({ cpuMicros }) => cpuMicros),
          String(reading.lost),
        ]),
        notes: [
          "Done with: in the mailboxes of their users; of the bare server added as jobs, which nobody works off.",
          "CPU is the server process's for one of the people; that of `ingest` has draining them from the inbox as well.",
        ],
      },
    ],
    figures: { requests, people: PEOPLE, readings },
    failed: readings.reduce((sum, { lost }) => sum + lost, 0),
  };
}
