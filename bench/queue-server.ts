/** The server of the queues that the bench fills: SQS on this machine, in a process of its own. Prints where it is. */
import { buildApp } from "fauxqs";

const app = buildApp({ logger: false, defaultRegion: "eu-west-1" });
process.stdout.write(`${await app.listen({ port: 0, host: "127.0.0.1" })}\n`);
