/**
 * A pool of any size that is held nowhere: the users of a page are made when it is asked for. It answers
 * DescribeUserPool and ListUsers, as much of them as a plan needs. Its argument is how many users it has; it prints
 * its address.
 */
import { createServer } from "node:http";

const USERS = Number(process.argv[2]);
const PAGE = 60;

/** Everybody has four attributes, an address and its flag. */
export function userOf(nth: number): {
  readonly username: string;
  readonly attributes: Readonly<Record<string, string>>;
} {
  return {
    username: `user${nth}`,
    attributes: {
      sub: `00000000-0000-4000-8000-${String(nth).padStart(12, "0")}`,
      given_name: `Given ${nth}`,
      family_name: `Family ${nth % 5000}`,
      "custom:department": `Department ${nth % 100}`,
      "custom:manager": `user${nth % 1000}`,
      email: `user${nth}@example.com`,
      email_verified: "true",
    },
  };
}

function pageFrom(offset: number): object {
  const users = Array.from({ length: Math.max(0, Math.min(PAGE, USERS - offset)) }, (_, index) => {
    const { username, attributes } = userOf(offset + index);
    const Attributes = Object.entries(attributes).map(([Name, Value]) => ({ Name, Value }));
    return { Username: username, Attributes, UserStatus: "CONFIRMED", Enabled: true };
  });
  const next = offset + PAGE;
  return { Users: users, ...(next < USERS ? { PaginationToken: String(next) } : {}) };
}

if (import.meta.main) {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const token = /"PaginationToken":"(\d+)"/.exec(body)?.[1] ?? "0";
      response.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
      response.end(JSON.stringify(pageFrom(Number(token))));
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object" && address !== null) console.log(`http://127.0.0.1:${address.port}`);
  });
}
