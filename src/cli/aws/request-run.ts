/** A command's requests, one or many: read, carried out in order, and each answered like a command of its own. */
import { EXIT } from "../../exit-codes.ts";
import { messageOf } from "../../app/app-error.ts";
import { reportFailure } from "../failure-report.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import { LOST_STORE } from "../../store/fence.ts";
import { answerText, checkAnswerFlags } from "./answer.ts";
import { readRequests, type RequestRecord } from "./records.ts";
import { recordInput, requestInput, type RequestInput } from "./request-input.ts";
import type { OneFlags } from "./request-options.ts";
import { inputSkeleton, outputSkeleton, type Operation } from "./skeleton.ts";
import { usageError } from "./usage-error.ts";

/** Carries a request out and answers what is printed. */
type RunRequest = (request: RequestInput) => Promise<string>;

export interface Spread {
  /** How many requests are under way at a time. */
  readonly atOnce: number;
  /** Requests of which it is equal are carried out one after the other, in their order. */
  readonly userOf: (request: RequestInput) => string;
}

/**
 * `open` opens what the requests need, and hands their carrying out to the function it is given. With `-` several are
 * under way at a time, and they are answered in their order; one that fails does not keep the others from being tried,
 * and the exit code then says that some failed.
 */
export async function runRequests(
  io: Io,
  operation: Operation,
  input: string | undefined,
  flags: OneFlags,
  open: (answerAll: (runRequest: RunRequest, spread: Spread) => Promise<number>) => Promise<number>,
): Promise<number> {
  if (input !== undefined && input !== "-")
    throw usageError("Expected `-` for standard input, or nothing, got another word");
  const { generateCliSkeleton: skeleton } = flags;
  if (skeleton === true || skeleton === "input") {
    io.stdout.write(`${JSON.stringify(inputSkeleton(operation), undefined, 4)}\n`);
    return EXIT.done;
  }
  checkAnswerFlags(operation, flags);
  const given = requestInput(flags, io.readParameter);
  if (skeleton === "output") {
    io.stdout.write(answerText(operation, outputSkeleton(operation), given, flags, columnsOf(io.stdout)));
    return EXIT.done;
  }
  if (input === undefined) {
    return open(async (runRequest) => {
      io.stdout.write(await runRequest(given));
      return EXIT.done;
    });
  }
  return open((runRequest, spread) => answerMany(io, given, runRequest, spread));
}

type Answer = { readonly line: number } & ({ readonly printed: string } | { readonly error: unknown });

async function answerMany(
  io: Io,
  given: RequestInput,
  runRequest: RunRequest,
  { atOnce, userOf }: Spread,
): Promise<number> {
  let failed = 0;
  const underWay: Promise<Answer>[] = [];
  const lastOf = new Map<string, Promise<Answer>>();
  const begin = ({ line, ...read }: RequestRecord): Promise<Answer> => {
    if ("error" in read) return Promise.resolve({ line, error: read.error });
    let request: RequestInput;
    try {
      request = { ...recordInput(read.properties), ...given };
    } catch (error) {
      return Promise.resolve({ line, error });
    }
    const user = userOf(request);
    const before = lastOf.get(user);
    const answer = (async (): Promise<Answer> => {
      await before;
      try {
        return { line, printed: await runRequest(request) };
      } catch (error) {
        return { line, error };
      }
    })();
    lastOf.set(user, answer);
    const forget = (): void => {
      if (lastOf.get(user) === answer) lastOf.delete(user);
    };
    void answer.then(forget);
    return answer;
  };
  const tellFirst = async (): Promise<void> => {
    const answer = await underWay.shift();
    if (answer === undefined) return;
    if ("printed" in answer) return void io.stdout.write(answer.printed);
    const failure = reportFailure(answer.error);
    // No other line would go better.
    if (failure.category === "interrupted" || LOST_STORE.includes(failure.kind)) throw answer.error;
    failed += 1;
    tell(io, `Line ${answer.line}: ${messageOf(failure)}`);
  };
  try {
    for await (const record of readRequests(io.stdin)) {
      io.interrupts.drain.throwIfAborted();
      underWay.push(begin(record));
      if (underWay.length >= atOnce) await tellFirst();
    }
    while (underWay.length > 0) await tellFirst();
  } finally {
    // What is opened is closed after this: nothing may be under way any more.
    await Promise.all(underWay);
  }
  return failed === 0 ? EXIT.done : EXIT.partial;
}
