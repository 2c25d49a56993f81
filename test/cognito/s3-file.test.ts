import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { after, before, describe, test } from "node:test";
import { fetchS3File, type S3FileOptions } from "../../src/cognito/s3-file.ts";
import { FeedError } from "../../src/feeds/feed-error.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { ANSWERS, SIZES, startClosingServer } from "../support/closing-server.ts";

const CSV = "username,given_name\nu1,Zoë\n";

describe("a file in S3", () => {
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const server = createServer((request, response) => answer(request, response));
  let endpoint = "";
  let restore: () => void;
  before(async () => {
    restore = exampleAws({});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    endpoint = `http://127.0.0.1:${typeof address === "object" ? address?.port : address}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
    restore();
  });
  const fetched = (rest: Partial<S3FileOptions> = {}) =>
    fetchS3File({
      bucket: "exports",
      key: "hr/staff.csv",
      target: { region: "eu-west-1", endpoint },
      limits: { maxBytes: 1000, timeoutMs: 20_000 },
      signal: new AbortController().signal,
      ...rest,
    });
  const bytesOf = async (rest: Partial<S3FileOptions> = {}): Promise<Buffer> => {
    const file = await fetched(rest);
    assert.ok(file.is === "new");
    try {
      return Buffer.concat(await Array.fromAsync(file.body));
    } finally {
      await file.close();
    }
  };
  const isFetch = (said: RegExp) => (error: unknown) =>
    error instanceof FeedError && error.kind === "fetch" && said.test(error.message);

  test("is read with its time and its ETag, signed, and not again while that is the same", async () => {
    answer = (request, response) => {
      assert.equal(request.url?.split("?")[0], "/exports/hr/staff.csv");
      assert.match(request.headers.authorization ?? "", /AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/);
      if (request.headers["if-none-match"] === '"v1"') return response.writeHead(304).end();
      const headers = { etag: '"v1"', "last-modified": "Wed, 21 Oct 2026 07:28:00 GMT" };
      return response.writeHead(200, headers).end(CSV);
    };
    const file = await fetched();
    assert.ok(file.is === "new");
    assert.deepEqual([file.etag, file.modifiedAtMs], ['"v1"', Date.parse("2026-10-21T07:28:00Z")]);
    assert.equal(Buffer.concat(await Array.fromAsync(file.body)).toString("utf8"), CSV);
    await file.close();
    assert.deepEqual(await fetched({ etag: '"v1"' }), { is: "unchanged" });
  });

  test("is never taken for whole where it is cut off or too long", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": "500" });
      response.write(CSV, () => response.destroy());
    };
    await assert.rejects(bytesOf(), isFetch(/could not be fetched|ended after/));
    answer = (_request, response) => response.writeHead(200, { "content-length": "1001" }).end("x".repeat(1001));
    await assert.rejects(bytesOf(), isFetch(/longer than/));
  });

  for (const [kind, isWhole] of ANSWERS) {
    test(`whose connection is closed before it is read, ${kind}, ${isWhole ? "is whole" : "is refused"}`, async () => {
      for (const size of SIZES) {
        const closing = await startClosingServer(kind, Buffer.alloc(size, "x"));
        try {
          const read = async () => {
            const target = { region: "eu-west-1", endpoint: closing.origin };
            const file = await fetched({ target, limits: { maxBytes: 2 ** 20, timeoutMs: 20_000 } });
            assert.ok(file.is === "new");
            try {
              await closing.ended();
              return Buffer.concat(await Array.fromAsync(file.body)).length;
            } finally {
              await file.close();
            }
          };
          if (isWhole) assert.equal(await read(), size);
          else await assert.rejects(read, isFetch(/could not be fetched.*check the network|ended after.*try again/));
        } finally {
          closing.close();
        }
      }
    });
  }

  test("that is not there, or may not be read, says what to do", async () => {
    const xml = (code: string) => `<Error><Code>${code}</Code><Message>m</Message></Error>`;
    for (const [status, code, advice] of [
      [404, "NoSuchKey", /check bucket, key and Region/],
      [403, "AccessDenied", /s3:GetObject/],
    ] as const) {
      answer = (_request, response) => response.writeHead(status, { "content-type": "application/xml" }).end(xml(code));
      await assert.rejects(fetched(), isFetch(advice));
    }
  });
});
