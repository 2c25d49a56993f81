import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe, test } from "node:test";
import { CognitoError } from "../../src/cognito/cognito-error.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { scanPool, scanUsers, type ScanPage } from "../../src/cognito/pool-scan.ts";
import { createQuotaGovernor } from "../../src/cognito/quota-governor.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { createPace } from "../../src/store/postgres/pace.ts";
import { exampleAws } from "../support/aws-environment.ts";

const POOL = "eu-west-1_Example";

type Answer = { readonly status?: number; readonly body: object };

/** A scan of whatever endpoint, with a pace that lets everything through. */
async function scan(url: string, signal?: AbortSignal, usernames?: readonly string[]): Promise<readonly ScanPage[]> {
  const restore = exampleAws();
  const cognito = createCognitoClient({ endpoint: url, concurrency: 2, requestTimeoutMs: 5000 });
  const pace = createPace(() => performance.timeOrigin + performance.now());
  const lists = createQuotaGovernor({ pace, bucket: "lists", ceilingPerSecond: 100_000, concurrency: 2 });
  try {
    const pages: ScanPage[] = [];
    const options = { cognito, lists, poolId: POOL, random: () => 0, ...(signal ? { signal } : {}) };
    const scanned =
      usernames === undefined
        ? scanPool(options)
        : scanUsers(
            { ...options, ignoresCase: false },
            usernames.map((value) => [{ attribute: "username", value }]),
          );
    for await (const page of scanned) pages.push(page);
    return pages;
  } finally {
    await lists.close();
    cognito.close();
    restore();
  }
}

/** An endpoint that answers ListUsers as the test says; it keeps the requests. */
async function scripted(answer: (nth: number, body: Record<string, unknown>) => Answer) {
  const requests: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    request.on("end", () => {
      const body: unknown = JSON.parse(text);
      const said = Object.fromEntries(Object.entries(typeof body === "object" && body !== null ? body : {}));
      requests.push(said);
      const { status = 200, body: answered } = answer(requests.length, said);
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(answered));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const users = (...names: readonly string[]) =>
  names.map((name) => ({ Username: name, Attributes: [{ Name: "sub", Value: `sub-${name}` }] }));
const refusal = (name: string): Answer => ({ status: 400, body: { __type: name, message: "no" } });
const namesOf = (pages: readonly ScanPage[]) => pages.flatMap((page) => page.users.map(({ username }) => username));

describe("the scan of a pool", () => {
  test("reads everybody once, through short and blank pages", async () => {
    const emulator = await startEmulator({ quotas: "unmetered", shortPages: 0.7 });
    try {
      const pool = emulator.pools.add({ id: POOL });
      for (let nth = 0; nth < 500; nth += 1)
        pool.addUser({ username: `u${nth}`, attributes: { given_name: `g${nth}` } });
      const pages = await scan(emulator.url);
      const names = namesOf(pages);
      assert.equal(names.length, 500);
      assert.equal(new Set(names).size, 500);
      const [one] = pages.flatMap((page) => page.users).filter(({ username }) => username === "u7");
      assert.equal(one?.attributes.get("given_name"), "g7");
      assert.notEqual(one?.sub, "u7");
      assert.ok(one?.status !== "");
    } finally {
      await emulator.close();
    }
  });

  test("asks for whole pages, with no filter and no choice of attributes", async () => {
    await using endpoint = await scripted((nth) => ({
      body: { Users: users(`u${nth}`), ...(nth < 3 ? { PaginationToken: `t${nth}` } : {}) },
    }));
    assert.deepEqual(namesOf(await scan(endpoint.url)), ["u1", "u2", "u3"]);
    assert.deepEqual(endpoint.requests, [
      { UserPoolId: POOL, Limit: 60 },
      { UserPoolId: POOL, Limit: 60, PaginationToken: "t1" },
      { UserPoolId: POOL, Limit: 60, PaginationToken: "t2" },
    ]);
  });

  test("goes on after throttles and passing faults", async () => {
    await using endpoint = await scripted((nth) =>
      nth === 1 || nth === 3
        ? refusal("TooManyRequestsException")
        : nth === 4
          ? { status: 500, body: { __type: "InternalErrorException", message: "no" } }
          : { body: { Users: users(`u${nth}`), ...(nth < 5 ? { PaginationToken: `t${nth}` } : {}) } },
    );
    assert.deepEqual(namesOf(await scan(endpoint.url)), ["u2", "u5"]);
  });

  test("begins again, once and said, when the token of a page has expired", async () => {
    await using endpoint = await scripted((nth, { PaginationToken }) =>
      nth === 2
        ? refusal("InvalidParameterException")
        : PaginationToken === undefined
          ? { body: { Users: users("a"), PaginationToken: "t" } }
          : { body: { Users: users("b") } },
    );
    const pages = await scan(endpoint.url);
    assert.deepEqual(
      pages.map(({ users: page, again }) => [page[0]?.username, again]),
      [
        ["a", false],
        ["a", true],
        ["b", false],
      ],
    );
  });

  for (const [title, answer, message] of [
    [
      "a token that is refused twice",
      (_nth: number, body: Record<string, unknown>) =>
        body["PaginationToken"] === undefined
          ? { body: { Users: users("a"), PaginationToken: "t" } }
          : refusal("InvalidParameterException"),
      /refused the token of a page twice/,
    ],
    ["the same token for ever", () => ({ body: { Users: users("a"), PaginationToken: "t" } }), /without an end/],
    ["blank pages for ever", (nth: number) => ({ body: { Users: [], PaginationToken: `t${nth}` } }), /without an end/],
    ["an answer in no form of Cognito's", () => ({ body: { Users: [{ Name: 1 }] } }), /not in Cognito's form/],
    ["a refusal of the first page", () => refusal("AccessDeniedException"), /could not be listed\. Allow the identity/],
  ] as const) {
    test(`ends with one clear error: ${title}`, async () => {
      await using endpoint = await scripted(answer);
      await assert.rejects(scan(endpoint.url), (error) => error instanceof CognitoError && message.test(error.message));
    });
  }

  test("reads some users by name, and takes nobody else for them", async () => {
    const emulator = await startEmulator({ quotas: "unmetered", shortPages: 1 });
    try {
      const pool = emulator.pools.add({ id: POOL });
      for (const username of ["ann", "Ann", 'o"dd\\'] as const) pool.addUser({ username });
      assert.deepEqual(namesOf(await scan(emulator.url, undefined, ['o"dd\\', "nobody", "ann"])), ['o"dd\\', "ann"]);
    } finally {
      await emulator.close();
    }
  });

  test("ends when its signal does", async () => {
    const abort = new AbortController();
    await using endpoint = await scripted((nth) => {
      if (nth === 3) abort.abort();
      return { body: { Users: users(`u${nth}`), PaginationToken: `t${nth}` } };
    });
    await assert.rejects(scan(endpoint.url, abort.signal), { name: "AbortError" });
  });
});
