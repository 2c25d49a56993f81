/**
 * PGlite's one session in the shape of node-postgres' `Pool`, as far as BullMQ's PostgreSQL backend uses it. Every
 * client is the same session. A client that has begun a transaction keeps the mutex until it commits or rolls back, so
 * that nobody else's statement falls into it.
 */
import { EventEmitter } from "node:events";
import type { Mutex } from "./mutex.ts";

export interface SessionResult<Row> {
  readonly rows: Row[];
  readonly rowCount: number;
}

/** Runs one statement, or several in one text without parameters. The caller has the mutex. */
export type Run = <Row>(sql: string, params?: readonly unknown[]) => Promise<SessionResult<Row>>;

export class SessionPool extends EventEmitter {
  /** Tells BullMQ that a lost connection is noticed: this one cannot be lost. An idle worker may then wait long. */
  readonly options = { keepAlive: true };
  readonly #run: Run;
  readonly #mutex: Mutex;
  readonly #clients = new Set<SessionClient>();

  constructor(run: Run, mutex: Mutex) {
    super();
    this.#run = run;
    this.#mutex = mutex;
    // Every queue and worker adds a listener.
    this.setMaxListeners(0);
  }

  async query<Row>(sql: string, params?: readonly unknown[]): Promise<SessionResult<Row>> {
    const done = await this.#mutex();
    try {
      return await this.#run<Row>(sql, params);
    } finally {
      done();
    }
  }

  async connect(): Promise<SessionClient> {
    const client = new SessionClient(this.#run, this.#mutex, () => this.#clients.delete(client));
    this.#clients.add(client);
    return client;
  }

  /** Passes on what PostgreSQL notified. */
  notify(channel: string, payload: string): void {
    for (const client of this.#clients) client.emit("notification", { channel, payload });
  }

  /** The session is the database's, which closes it. */
  async end(): Promise<void> {}
}

export class SessionClient extends EventEmitter {
  readonly #run: Run;
  readonly #mutex: Mutex;
  readonly #onRelease: () => void;
  #done: (() => void) | undefined;

  constructor(run: Run, mutex: Mutex, onRelease: () => void) {
    super();
    this.#run = run;
    this.#mutex = mutex;
    this.#onRelease = onRelease;
  }

  async query<Row>(sql: string, params?: readonly unknown[]): Promise<SessionResult<Row>> {
    const held = this.#done;
    const done = held ?? (await this.#mutex());
    let keeps = held !== undefined && !/^\s*(COMMIT|ROLLBACK)\b/i.test(sql);
    try {
      const result = await this.#run<Row>(sql, params);
      if (/^\s*BEGIN\b/i.test(sql)) keeps = true;
      return result;
    } finally {
      this.#done = keeps ? done : undefined;
      if (!keeps) done();
    }
  }

  release(): void {
    this.#onRelease();
    const done = this.#done;
    if (!done) return;
    this.#done = undefined;
    // Released within a transaction, which nobody can end any more. A session that cannot roll back is broken, and
    // tells the next client so.
    void this.#run("ROLLBACK")
      .catch(() => undefined)
      .finally(() => done());
  }
}
