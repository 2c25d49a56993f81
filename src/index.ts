/**
 * The library: an application opens poolsync and queues changes; a worker, in this process or in another, delivers
 * them.
 *
 *     const poolsync = await openPoolsync({ redisUrl: "redis://127.0.0.1:6379" });
 *     await poolsync.enqueue({
 *       pool: "eu-west-1_Example",
 *       username: "jane",
 *       attributes: { given_name: "Jane", email: "jane@example.com", nickname: null },
 *       verified: "mark",
 *     });
 *     await poolsync.close();
 */
