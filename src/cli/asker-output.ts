/** What a command prints for an asker at the other end of a wire. */
import { Writable } from "node:stream";
import { AppError } from "../app/app-error.ts";
import type { Wire } from "../store/postgres/wire.ts";
import type { CommandRequest, HolderMessage } from "./served-command.ts";

/** What all askers together have not taken yet. */
export interface Waiting {
  /** UTF-16. */
  units: number;
}

interface AskerOutputOptions {
  readonly look: CommandRequest["stdout"];
  readonly wire: Wire;
  readonly waiting: Waiting;
  readonly said: (text: string) => HolderMessage;
}

type Done = (error: Error | null | undefined) => void;

/** UTF-16 units of what is printed that go into one message. */
const LONGEST_PART = 65_536;
/** Where more units wait for askers that stand still, nothing is added. */
const MOST_WAITING = 64_000_000;

const TOO_MUCH_WAITS = new AppError(
  "in-use",
  "What other commands have printed waits to be read: end those that stand still, look whether this one was carried out, and give it again.",
);

export class AskerOutput extends Writable {
  readonly isTTY: boolean;
  readonly columns?: number;
  readonly #options: AskerOutputOptions;
  #units = 0;
  #inHand = 0;

  constructor(options: AskerOutputOptions) {
    super({ decodeStrings: false });
    const { isTTY, columns } = options.look;
    this.isTTY = isTTY;
    if (columns !== undefined) this.columns = columns;
    this.#options = options;
    // The command does not look, and its end does.
    this.on("error", () => undefined);
  }

  /** What a command prints counts from here on: it does not wait until an asker has taken it. */
  override write(chunk: unknown, encoding?: BufferEncoding | Done, callback?: Done): boolean {
    const text = String(chunk);
    if (this.#options.waiting.units > MOST_WAITING) this.destroy(TOO_MUCH_WAITS);
    else if (!this.destroyed) this.#count(text.length);
    return super.write(text, typeof encoding === "function" ? encoding : callback);
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    const text = String(chunk);
    this.#inHand = text.length;
    void this.#send(text, done);
  }

  /** What is being sent is there until it has gone. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#count(this.#inHand - this.#units);
    done(error);
  }

  /** Sends a part once the one before it has gone, or the asker has. */
  async #send(text: string, done: () => void): Promise<void> {
    const { wire, said } = this.#options;
    for (let from = 0; from < text.length && !wire.closed.aborted;) {
      // A character of two units stays whole.
      const isSplit = /[\uD800-\uDBFF]/.test(text[from + LONGEST_PART - 1] ?? "");
      const to = from + LONGEST_PART + (isSplit ? 1 : 0);
      const taken = Promise.withResolvers<void>();
      wire.send(said(text.slice(from, to)), taken.resolve);
      await taken.promise;
      from = to;
    }
    this.#inHand = 0;
    this.#count(-text.length);
    done();
  }

  #count(units: number): void {
    this.#units += units;
    this.#options.waiting.units += units;
  }
}
