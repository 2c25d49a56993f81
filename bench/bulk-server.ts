/**
 * What `ingest` is held against where a request has many people: a bare hono server that checks the same signature, adds a
 * job of BullMQ for each record of the body (`addBulk`), and answers when that is done. Nobody works the jobs off.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { Queue } from "bullmq";
import { Hono } from "hono";
import { z } from "zod";
import { listen } from "../src/http/listen.ts";

const { REDIS_URL = "", PREFIX = "", CRM_SECRET = "" } = process.env;
const jobs = new Queue("peer", { connection: { url: REDIS_URL }, prefix: PREFIX });
const secret = Buffer.from(CRM_SECRET.replace("whsec_", ""), "base64");
const records = z.array(z.looseObject({}));

const app = new Hono();
app.post("/events/:feed", async (context) => {
  const body = await context.req.text();
  const header = (name: string): string => context.req.header(`webhook-${name}`) ?? "";
  const [id, time] = [header("id"), header("timestamp")];
  const mac = createHmac("sha256", secret).update(`${id}.${time}.${body}`).digest();
  const given = Buffer.from(header("signature").slice(3), "base64");
  if (given.length !== mac.length || !timingSafeEqual(given, mac)) return context.text("forged\n", 401);
  await jobs.addBulk(records.parse(JSON.parse(body)).map((data) => ({ name: "change", data })));
  return context.text("accepted\n");
});
const answer = getRequestListener(app.fetch);
const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
const port = await listen(server, { host: "127.0.0.1", port: 0 });
process.stderr.write(`${JSON.stringify({ msg: "events are taken", port })}\n`);
