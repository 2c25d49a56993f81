/**
 * What `ingest` is held against: a bare hono server that checks the same signature, writes the body into a stream of Redis,
 * and answers when that is done. It has no limits, no log, and drains nothing.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { Redis } from "ioredis";
import { listen } from "../src/http/listen.ts";

const { REDIS_URL = "", STREAM = "", CRM_SECRET = "" } = process.env;
const redis = new Redis(REDIS_URL, { enableAutoPipelining: true });
const secret = Buffer.from(CRM_SECRET.replace("whsec_", ""), "base64");

const app = new Hono();
app.post("/events/:feed", async (context) => {
  const body = Buffer.from(await context.req.arrayBuffer());
  const header = (name: string): string => context.req.header(`webhook-${name}`) ?? "";
  const mac = createHmac("sha256", secret)
    .update(`${header("id")}.${header("timestamp")}.`)
    .update(body)
    .digest();
  const given = Buffer.from(header("signature").slice(3), "base64");
  if (given.length !== mac.length || !timingSafeEqual(given, mac)) return context.text("forged\n", 401);
  await redis.xadd(STREAM, "*", "body", body);
  return context.text("accepted\n");
});
const answer = getRequestListener(app.fetch);
const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
const port = await listen(server, { host: "127.0.0.1", port: 0 });
process.stderr.write(`${JSON.stringify({ msg: "events are taken", port })}\n`);
