import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { after, before, beforeEach, describe, test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { FeedError } from "../../src/feeds/feed-error.ts";
import { fetchWebFile, type FetchedFile, type WebFileOptions } from "../../src/feeds/web-file.ts";

import { until } from "../support/condition.ts";
import { ANSWERS, SIZES, startClosingServer } from "../support/closing-server.ts";

const CSV = "username,given_name\nu1,Zoë\n";

describe("a file on the web", () => {
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const seen: { path: string | undefined; authorization: string | undefined }[] = [];
  const listen = () =>
    createServer((request, response) => {
      seen.push({ path: request.url, authorization: request.headers.authorization });
      answer(request, response);
    });
  const [server, other] = [listen(), listen()];
  const originOf = (one: typeof server): string => {
    const address = one.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : address}`;
  };
  before(async () => {
    for (const one of [server, other]) await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
  });
  after(() => {
    for (const one of [server, other]) {
      one.close();
      one.closeAllConnections();
    }
  });
  beforeEach(() => (seen.length = 0));

  const limits = { maxBytes: 1000, timeoutMs: 20_000 };
  const fetched = (rest: Partial<WebFileOptions> = {}): Promise<FetchedFile> =>
    fetchWebFile({
      url: new URL("/hr.csv?key=hidden", originOf(server)),
      limits,
      signal: new AbortController().signal,
      ...rest,
    });
  async function textOf(file: FetchedFile): Promise<string> {
    assert.equal(file.is, "new");
    try {
      return Buffer.concat(await Array.fromAsync(file.body)).toString("utf8");
    } finally {
      await file.close();
    }
  }
  async function refused(act: () => Promise<unknown>, said: RegExp): Promise<void> {
    await assert.rejects(act, (error) => {
      assert.ok(error instanceof FeedError);
      assert.equal(error.kind, "fetch");
      assert.match(error.message, said);
      assert.doesNotMatch(error.message, /hidden|secret/);
      return true;
    });
  }

  test("is read as it is, with its time and its ETag, and not again while that is the same", async () => {
    answer = (request, response) => {
      const headers = { etag: '"v1"', "last-modified": "Wed, 21 Oct 2026 07:28:00 GMT" };
      if (request.headers["if-none-match"] === '"v1"') return response.writeHead(304, headers).end();
      return response.writeHead(200, headers).end(CSV);
    };
    const file = await fetched({ authorization: "Bearer secret" });
    assert.equal(await textOf(file), CSV);
    assert.ok(file.is === "new");
    const { etag, modifiedAtMs, undated } = file;
    assert.deepEqual([etag, modifiedAtMs, undated], ['"v1"', Date.parse("2026-10-21T07:28:00Z"), undefined]);
    assert.deepEqual(seen, [{ path: "/hr.csv?key=hidden", authorization: "Bearer secret" }]);
    assert.deepEqual(await fetched({ etag: '"v1"' }), { is: "unchanged" });
  });

  test("is of the time at which fetching it began, where it does not say its own", async () => {
    let askedAtMs = 0;
    answer = (_request, response) => {
      askedAtMs = Date.now();
      // It takes a while to make the export.
      while (Date.now() === askedAtMs);
      response.end(CSV);
    };
    const beforeMs = Date.now();
    const file = await fetched();
    await textOf(file);
    assert.ok(file.is === "new" && file.undated === true);
    assert.ok(file.modifiedAtMs >= beforeMs && file.modifiedAtMs <= askedAtMs);
  });

  test("is never taken for whole where it is cut off, too long or too slow", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": "500" });
      response.write(CSV, () => response.destroy());
    };
    await refused(async () => textOf(await fetched()), /could not be fetched/);
    answer = (_request, response) => {
      response.writeHead(200);
      response.write(CSV, () => response.destroy());
    };
    await refused(async () => textOf(await fetched()), /could not be fetched/);
    answer = (_request, response) => response.end("x".repeat(1001));
    await refused(() => fetched(), /longer than .*fetch\.maxMegabytes/);
    answer = (_request, response) => {
      response.write("x".repeat(600));
      response.end("x".repeat(600));
    };
    await refused(async () => textOf(await fetched()), /longer than .*fetch\.maxMegabytes/);
    answer = (_request, response) => void response.write(CSV);
    await refused(
      async () => textOf(await fetched({ limits: { ...limits, timeoutMs: 200 } })),
      /not there whole .*fetch\.timeout/,
    );
  });

  for (const [kind, isWhole] of ANSWERS) {
    test(`whose connection is closed before it is read, ${kind}, ${isWhole ? "is whole" : "is refused"}`, async () => {
      for (const size of SIZES) {
        const closing = await startClosingServer(kind, Buffer.alloc(size, "x"));
        try {
          const url = new URL("/hr.csv?key=hidden", closing.origin);
          const read = async () => {
            const file = await fetched({ url, limits: { ...limits, maxBytes: 2 ** 20 } });
            assert.ok(file.is === "new");
            await closing.ended();
            return (await textOf(file)).length;
          };
          if (isWhole) assert.equal(await read(), size);
          else await refused(read, /could not be fetched .*check the address/);
        } finally {
          closing.close();
        }
      }
    });
  }

  test("comes as it lies there: what is gzip stays gzip, and other ways of packing are refused", async () => {
    answer = (_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(CSV));
    const file = await fetched();
    assert.ok(file.is === "new");
    assert.deepEqual(Buffer.concat(await Array.fromAsync(file.body)), gzipSync(CSV));
    await file.close();
    answer = (_request, response) => response.writeHead(200, { "content-encoding": "br" }).end(brotliCompressSync(CSV));
    await refused(() => fetched(), /packed as "br".*have the server send the file as it is, or packed with gzip/);
  });

  test("that nobody reads gives its connection up when it is closed", async () => {
    let gone = false;
    answer = (request, response) => {
      request.socket.once("close", () => (gone = true));
      response.writeHead(200);
      response.write(CSV);
    };
    const file = await fetched();
    assert.ok(file.is === "new");
    await file.close();
    await until("the connection is gone", () => gone, 10_000);
  });

  test("is refused with what to do for a status that is no file", async () => {
    for (const [status, advice] of [
      [401, /status 401: check the credential/],
      [404, /status 404: check the address/],
      [503, /status 503: try again/],
      [204, /status 204/],
    ] as const) {
      answer = (_request, response) => response.writeHead(status).end();
      await refused(() => fetched({ authorization: "Bearer secret" }), advice);
    }
    await refused(() => fetched({ url: new URL("http://127.0.0.1:1/hr.csv") }), /could not be fetched/);
  });

  test("that is elsewhere now is followed, without the credential to another host, and never to where it can be read", async () => {
    answer = (request, response) =>
      request.url === "/moved"
        ? response.end(CSV)
        : response.writeHead(302, { location: `${originOf(other)}/moved` }).end();
    assert.equal(await textOf(await fetched({ authorization: "Bearer secret" })), CSV);
    assert.deepEqual(
      seen.map(({ authorization }) => authorization),
      ["Bearer secret", undefined],
    );
    answer = (_request, response) => response.writeHead(302, { location: "http://hr.example.com/a" }).end();
    await refused(() => fetched(), /redirects to an address that is not https/);
    answer = (_request, response) => response.writeHead(302, { location: "/again" }).end();
    await refused(() => fetched(), /redirects 5 times/);
  });

  test("that nobody wants any more ends with what it was aborted with", async () => {
    const stopping = new AbortController();
    answer = () => stopping.abort();
    await assert.rejects(fetched({ signal: stopping.signal }), { name: "AbortError" });
  });
});
