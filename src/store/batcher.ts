/**
 * Batches requests: those of one turn of the event loop go together at its end, in one trip. So a busy process makes
 * few trips, and no request waits for longer than the turn. Waiting for the previous trip as well was measured: batches
 * grow no larger, and it is slower where there are more requests than one trip takes.
 */
export interface BatcherOptions<Request, Answer> {
  /** How many requests one trip takes. */
  readonly maxSize: number;
  /**
   * The key of a request: two requests with one key never share a trip, and go in the order in which they were made.
   */
  readonly keyOf: (request: Request) => string;
  /**
   * Answers each request, in their order; an error is the answer to that one alone. A rejection rejects all of them.
   */
  readonly send: (requests: readonly Request[]) => Promise<readonly (Answer | Error)[]>;
}

interface BatchedRequest<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

export function createBatcher<Request, Answer>({
  maxSize,
  keyOf,
  send,
}: BatcherOptions<Request, Answer>): (request: Request) => Promise<Answer> {
  let queued: BatchedRequest<Request, Answer>[] = [];

  async function travel(trip: readonly BatchedRequest<Request, Answer>[]): Promise<void> {
    try {
      const answers = await send(trip.map(({ request }) => request));
      if (answers.length !== trip.length) {
        throw new RangeError(`Expected an answer to each of ${trip.length} requests, got ${answers.length}`);
      }
      for (const [index, answer] of answers.entries()) {
        if (answer instanceof Error) trip[index]?.reject(answer);
        else trip[index]?.resolve(answer);
      }
    } catch (error) {
      for (const { reject } of trip) reject(error);
    }
  }

  function go(): void {
    const trips = tripsOf(queued, maxSize, ({ request }) => keyOf(request));
    queued = [];
    for (const trip of trips) void travel(trip);
  }

  return (request) =>
    new Promise((resolve, reject) => {
      if (queued.length === 0) setImmediate(go);
      queued.push({ request, resolve, reject });
    });
}

/** Splits items into trips of at most `maxSize`, with one item of a key in each. Items of one key keep their order. */
export function tripsOf<T>(
  items: readonly T[],
  maxSize: number,
  keyOf: (item: T) => string,
): readonly (readonly T[])[] {
  const trips: T[][] = [];
  let left = items;
  while (left.length > 0) {
    const going = new Map<string, T>();
    const staying: T[] = [];
    for (const item of left) {
      const key = keyOf(item);
      if (going.size < maxSize && !going.has(key)) going.set(key, item);
      else staying.push(item);
    }
    trips.push([...going.values()]);
    left = staying;
  }
  return trips;
}
